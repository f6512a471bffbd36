"""A run that was stopped, by whatever, ends as if it had not been."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.datasets.temporaries import temporary_name
from ganzoo.errors import CheckpointError, RunError
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint

RECIPE = """
description = "a small GAN with everything that a resume must bring back"
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
output = "none"
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[[regularizer]]
name = "r1"
weight = 0.1
every = 3
[dataset]
name = "gaussians"
size = 500
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "rmsprop"
[schedule.generator]
name = "linear-decay"
[ema]
every = 2
[train]
steps = 40
batch_size = 32
log_every = 7
sample_every = 20
checkpoint_every = 9
"""

TIMINGS = ("seconds", "samples_per_second")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


def digests(run: Path) -> dict[str, Any]:
    """The last checkpoint's tensor files, the rows apart from timings, and the grids."""
    last = checkpoints_of(run / "checkpoints")[-1]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "checkpoint": last.name,
        "tensors": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in last.glob("*.safetensors")},
        "rows": [{name: value for name, value in row.items() if name not in TIMINGS} for row in rows],
        "grids": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (run / "samples").glob("*.png")},
    }


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ganzoo", *(str(argument) for argument in arguments)]


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


class StopAt:
    """A listener that raises Ctrl-C in its own process once a row of that step or later is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step >= self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("step", [7, 21, 35])
def test_an_interrupted_run_ends_with_the_same_weights_rows_and_grids(recipe: Path, tmp_path: Path, step: int) -> None:
    ganzoo.train(recipe, out=tmp_path / "straight", quiet=True)
    stopped = ganzoo.train(recipe, out=tmp_path / "stopped", quiet=True, observers=[StopAt(step)])
    assert (stopped.status, stopped.facts["reason"], stopped.step) == ("interrupted", "Ctrl-C", step)
    resumed = ganzoo.resume(tmp_path / "stopped", quiet=True)
    assert (resumed.status, resumed.step) == ("finished", 40)
    assert digests(tmp_path / "stopped") == digests(tmp_path / "straight")


def test_a_longer_budget_goes_on_as_a_longer_run_would_have(recipe: Path, tmp_path: Path) -> None:
    plain = ["schedule.generator.name=constant"]  # a decay's course depends on the budget
    ganzoo.train(recipe, out=tmp_path / "straight", steps=40, overrides=plain, quiet=True)
    ganzoo.train(recipe, out=tmp_path / "short", steps=25, overrides=plain, quiet=True)
    ganzoo.resume(tmp_path / "short", steps=40, quiet=True)
    short, straight = digests(tmp_path / "short"), digests(tmp_path / "straight")
    short["grids"].pop("step-00000025.png")  # the end that it had
    assert short == straight


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not(recipe: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        ganzoo.train(recipe, out=tmp_path / name, steps=10, seed=seed, quiet=True)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert digests(tmp_path / "one")["tensors"] != digests(tmp_path / "three")["tensors"]


def test_looking_at_a_run_does_not_change_it(recipe: Path, tmp_path: Path) -> None:
    quiet = ["train.sample_every=0", "train.log_every=0", "train.checkpoint_every=0"]
    ganzoo.train(recipe, out=tmp_path / "watched", quiet=True)
    ganzoo.train(recipe, out=tmp_path / "alone", quiet=True, overrides=quiet)
    weights = [digests(tmp_path / name)["tensors"]["generator.safetensors"] for name in ("watched", "alone")]
    assert weights[0] == weights[1]


def test_the_saved_recipe_gives_the_same_run(recipe: Path, tmp_path: Path) -> None:
    ganzoo.train(recipe, out=tmp_path / "first", steps=10, quiet=True)
    ganzoo.train(tmp_path / "first" / "recipe.toml", out=tmp_path / "again", quiet=True)
    assert digests(tmp_path / "first") == digests(tmp_path / "again")


def test_a_changed_recipe_is_refused_with_the_differences(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", steps=10, quiet=True)
    text = (run.directory / "recipe.toml").read_text()
    (run.directory / "recipe.toml").write_text(text.replace("hidden = [16]", "hidden = [17]", 1))
    with pytest.raises(RunError, match=r"hidden: \[16\] -> \[17\]"):
        ganzoo.resume(run.directory, steps=20, quiet=True)


def test_other_data_are_refused(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", steps=10, quiet=True)
    facts = run.files.read_facts()
    facts["dataset"]["checksum"] = "sha256:of-other-data"
    run.files.write_facts(facts)
    with pytest.raises(RunError, match="not the one that this run began with"):
        ganzoo.resume(run.directory, steps=20, quiet=True)


def test_a_damaged_checkpoint_is_said_and_the_one_before_is_used(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ganzoo.train(recipe, out=tmp_path / "straight", quiet=True)
    ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[StopAt(28)])
    damaged = checkpoints_of(tmp_path / "run" / "checkpoints")[-1] / "generator.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-3])
    ganzoo.resume(tmp_path / "run", quiet=True)
    assert str(damaged) in capsys.readouterr().err
    assert digests(tmp_path / "run") == digests(tmp_path / "straight")


def break_tensors(checkpoint: Path) -> None:
    (checkpoint / "generator.safetensors").write_bytes(b"damaged")


def break_state(checkpoint: Path) -> None:
    (checkpoint / "state.json").write_bytes(b"{")


def lose_state(checkpoint: Path) -> None:
    (checkpoint / "state.json").unlink()


def lose_tensors(checkpoint: Path) -> None:
    (checkpoint / "discriminator.safetensors").unlink()


def make_it_a_file(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.write_bytes(b"")


BREAK = [break_tensors, break_state, lose_state, lose_tensors, make_it_a_file]


@pytest.mark.parametrize("damage", BREAK)
@pytest.mark.parametrize("stopped", [True, False])
def test_a_damaged_checkpoint_is_replaced_when_its_step_is_reached_again(
    recipe: Path, tmp_path: Path, damage: Callable[[Path], None], stopped: bool
) -> None:
    """stopped: whether the run was interrupted at the step, or had finished with it."""
    ganzoo.train(recipe, out=tmp_path / "straight", quiet=True)
    ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[StopAt(28)] if stopped else [])
    damaged = checkpoints_of(tmp_path / "run" / "checkpoints")[-2 if stopped else -1]
    damage(damaged)
    if stopped:
        damage(checkpoints_of(damaged.parent)[-1])  # of step 28, so that the run has to play step 27 again
    assert exit_status(["resume", str(tmp_path / "run"), "--quiet"]) == 0
    load_checkpoint(damaged)
    assert digests(tmp_path / "run") == digests(tmp_path / "straight")
    kept, straight = (
        {path.name for path in checkpoints_of(tmp_path / name / "checkpoints")} for name in ("run", "straight")
    )
    assert kept == straight


def test_what_killed_writers_left_is_swept_on_resume(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[StopAt(28)])
    left = [run.files.checkpoints / temporary_name(), run.files.checkpoints / ".step-00000036.4711.tmp"]
    for folder in left:
        folder.mkdir()
        (folder / "generator.safetensors").write_bytes(bytes(100))
    left += [run.directory / temporary_name(), run.directory / ".run.json.4711.tmp", tmp_path / temporary_name()]
    for file in left[2:]:
        file.touch()
    mine = [tmp_path / ".notes.123.tmp", run.directory / ".notes.123.tmp"]
    for file in mine:
        file.touch()
    ganzoo.resume(run.directory, quiet=True)
    assert not [path for path in left if path.exists()]
    assert all(path.exists() for path in mine)


def test_a_run_without_an_intact_checkpoint_is_refused(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", steps=10, quiet=True)
    for path in checkpoints_of(run.directory / "checkpoints"):
        (path / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match="no intact checkpoint"):
        ganzoo.resume(run.directory, steps=20, quiet=True)


def test_a_finished_run_has_nothing_to_resume(recipe: Path, tmp_path: Path) -> None:
    ganzoo.train(recipe, out=tmp_path / "run", steps=10, quiet=True)
    before = digests(tmp_path / "run")
    assert ganzoo.resume(tmp_path / "run", quiet=True).status == "finished"
    assert digests(tmp_path / "run") == before


def test_a_run_killed_between_its_last_checkpoint_and_its_last_row_gets_that_row(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True)
    before, facts, rows = digests(run.directory), run.files.read_facts(), run.metrics
    assert rows[-1]["step"] == 40
    run.files.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows[:-1]))
    run.files.write_facts({**facts, "status": "running"})
    assert ganzoo.resume(run.directory, quiet=True).status == "finished"
    assert digests(run.directory) == before


def kill_and_resume(run: Path, delay: float, start: list[str]) -> None:
    """Starts a run in a process of its own, kills it so long after its directory appears, and resumes it to the end."""
    process = subprocess.Popen(start, env=one_thread(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not run.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(delay)
    finally:
        process.kill()
    process.communicate()
    done = subprocess.run(
        command("resume", run, "--quiet"), env=one_thread(), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_a_killed_run_resumes_to_the_same_end(recipe: Path, tmp_path: Path, delay: float) -> None:
    steps = ("--steps", 150, "--device", "cpu", "--quiet")
    subprocess.run(command("run", recipe, *steps, "--out", tmp_path / "straight"), env=one_thread(), check=True)
    kill_and_resume(tmp_path / "killed", delay, command("run", recipe, *steps, "--out", tmp_path / "killed"))
    assert digests(tmp_path / "killed") == digests(tmp_path / "straight")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_kills_at_twenty_random_moments_all_end_the_same(recipes: Path, real_data: Path, tmp_path: Path) -> None:
    """The acceptance check: 400 steps of the vanilla recipe on real MNIST. Prints each moment."""
    settings = ("--steps", 400, "--set", "train.checkpoint_every=50", "--data-root", real_data, "--device", "cpu")
    start = command("run", recipes / "vanilla_mnist.toml", *settings, "--quiet")
    subprocess.run([*start, "--out", str(tmp_path / "straight")], env=one_thread(), check=True)
    length = json.loads((tmp_path / "straight" / "run.json").read_text())["seconds"]
    expected, moments = digests(tmp_path / "straight"), random.Random(0)
    for number in range(20):
        delay = moments.uniform(0, length)
        run = tmp_path / f"killed-{number}"
        kill_and_resume(run, delay, [*start, "--out", str(run)])
        assert digests(run) == expected, f"killed {delay:.2f} s after its directory appeared"
        resumed = json.loads((run / "run.json").read_text())["resumed"]
        print(f"killed {delay:5.2f} s after its directory appeared, resumed from {[one['step'] for one in resumed]}")
