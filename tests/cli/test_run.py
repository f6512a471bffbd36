"""`ganzoo run` and `ganzoo resume`: what they print, leave behind and end with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import DatasetUnavailable

Captured = pytest.CaptureFixture[str]

RECIPE = """
description = "points on a ring"
[generator]
name = "mlp"
latent_dim = 2
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "non-saturating"
[dataset]
name = "gaussians"
size = 200
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 20
batch_size = 16
log_every = 5
sample_every = 10
checkpoint_every = 8
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "ring.toml"
    path.write_text(RECIPE)
    return path


def play(recipe: Path, out: Path, *options: object) -> int:
    return exit_status(["run", str(recipe), "--out", str(out), "--device", "cpu", *(str(option) for option in options)])


def test_a_run_prints_what_it_does_and_leaves_a_tidy_directory(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    assert play(recipe, out) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "ring: points on a ring" in said.out
    assert "gaussians: 200 points of 2" in said.out
    assert f"next        ganzoo sample {out} -o grid.png" in said.out
    assert {path.name for path in out.iterdir()} - {".lock"} == {
        "recipe.toml",
        "run.json",
        "metrics.jsonl",
        "samples",
        "checkpoints",
    }
    assert sorted(path.name for path in (out / "samples").iterdir()) == [f"step-{step:08d}.png" for step in (0, 10, 20)]


def test_there_is_a_line_for_a_row_where_rows_come_slowly(
    recipe: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo.display.console.listener.Console.print_interval", lambda self: 0.0)
    assert play(recipe, tmp_path / "run") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == len(rows) == 4
    for line, row in zip(lines, rows, strict=True):
        assert line.startswith(f"step {row['step']:>2}/20  epoch {row['epoch']:.2f}")
        assert f"D(x) {row['d_real']:.3f}  D(G(z)) {row['d_fake']:.3f}" in line


def test_quiet_prints_nothing(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    assert play(recipe, tmp_path / "run", "--quiet", "--steps", 10) == 0
    assert exit_status(["resume", str(tmp_path / "run"), "--quiet", "--steps", "12"]) == 0
    assert exit_status(["resume", str(tmp_path / "run"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert ganzoo.load(tmp_path / "run").step == 12


def test_flags_replace_what_the_recipe_says(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--epochs", 2, "--seed", 7, "--precision", "bf16", "--set", "generator.latent_dim=3")
    assert play(recipe, out, "--quiet", *options, "--set", "train.batch_size=20") == 0
    run = ganzoo.load(out)
    assert (run.recipe.train.epochs, run.recipe.train.steps, run.step) == (2, None, 20)
    assert (run.recipe.train.seed, run.recipe.train.precision) == (7, "bf16")
    assert run.generator.latent_dim == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--steps", 0), "0 is not in the range"),
        (("--steps", 5, "--epochs", 5), "give one of them"),
        (("--set", "generator.hiden=[3]"), "hidden"),
        (("--device", "gpu"), 'there is no device "gpu"'),
        (("--precision", "fp64"), "fp64"),
        (("--seed", -1), "seed"),
        (("--data-root",), "requires an argument"),
    ],
)
def test_bad_input_ends_with_2_one_message_and_no_directory(
    options: tuple[object, ...], said: str, recipe: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert play(recipe, tmp_path / "run", *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["ring.toml"]


def test_a_recipe_that_is_not_there_is_said(tmp_path: Path, capsys: Captured) -> None:
    assert play(tmp_path / "missing.toml", tmp_path / "run") == 2
    assert "missing.toml" in capsys.readouterr().err


@pytest.fixture
def without_mnist(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe for data that cannot be had here, with a fallback."""

    def unreachable(*_: object, **__: object) -> None:
        raise DatasetUnavailable("MNIST cannot be had: the test says so.", remedy="Put it there.")

    monkeypatch.setattr("ganzoo.datasets.mnist.download", unreachable)
    recipe.write_text(
        RECIPE.replace('output = "none"\n', "").replace(
            'name = "gaussians"\nsize = 200', 'name = "mnist"\nfallback = "glyphs"'
        )
    )
    return recipe


def test_fallback_data_are_said_before_and_after_the_training(
    without_mnist: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert play(without_mnist, tmp_path / "run", "--data-root", tmp_path / "data", "--steps", 5) == 0
    lines = capsys.readouterr().out.splitlines()
    loud = [number for number, line in enumerate(lines) if line.startswith("!!! NOT MNIST")]
    rows = [number for number, line in enumerate(lines) if line.startswith("step")]
    assert len(loud) == 2
    assert loud[0] < rows[0] <= rows[-1] < loud[1]
    assert lines[loud[0] + 1] == "!!! MNIST cannot be had: the test says so."
    fallback = json.loads((tmp_path / "run" / "run.json").read_text())["dataset"]["fallback"]
    assert fallback == {"instead_of": "mnist", "reason": "MNIST cannot be had: the test says so."}


def test_without_fallback_the_named_data_are_insisted_on(without_mnist: Path, tmp_path: Path, capsys: Captured) -> None:
    assert play(without_mnist, tmp_path / "run", "--data-root", tmp_path / "data", "--no-fallback") == 2
    assert "the test says so" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_failed_training_ends_with_1_and_says_what_to_try(
    recipe: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganzoo.core.losses.NonSaturating.generator", lambda _, fake, real=None: fake.mean() * float("inf")
    )
    assert play(recipe, tmp_path / "run") == 1
    captured = capsys.readouterr()
    assert "failed      at step" in captured.out
    assert "Lower the learning rates" in captured.err


def test_a_finished_run_says_how_to_train_further(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "run"
    play(recipe, out, "--quiet")
    assert exit_status(["resume", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"{out} is finished: all 20 steps are done.\nTo train further: ganzoo resume {out} --steps 40\n"
    )
    assert exit_status(["resume", str(out), "--steps", "30"]) == 0
    assert "going on from step 20" in capsys.readouterr().out
    assert (ganzoo.load(out).step, ganzoo.load(out).status) == (30, "finished")


def test_a_budget_below_what_is_done_is_refused(recipe: Path, tmp_path: Path, capsys: Captured) -> None:
    play(recipe, tmp_path / "run", "--quiet")
    assert exit_status(["resume", str(tmp_path / "run"), "--steps", "7"]) == 2
    assert "--steps 7 is less than" in capsys.readouterr().err


def test_a_run_killed_between_its_last_checkpoint_and_its_end_gets_its_end(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    play(recipe, out, "--quiet", "--steps", 18)  # no row and no grid is due at 18
    rows = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    run = ganzoo.load(out)
    run.files.write_facts(run.facts | {"status": "running", "reason": ""})
    run.files.grid(18).unlink()
    run.files.rewind_metrics(18, 5)
    assert exit_status(["resume", str(out), "--quiet"]) == 0
    assert ganzoo.load(out).status == "finished"
    assert run.files.grid(18).exists()
    assert [row["step"] for row in ganzoo.load(out).metrics] == rows


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganzoo", "run", str(recipe), "--out", str(out), "--device", "cpu"]
    endless = [*command, "--steps", "1000000", "--set", "train.runner=eager"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "FORCE_COLOR": "1"}
    process = subprocess.Popen(endless, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, complaints
    assert complaints == ""
    assert f"next        ganzoo resume {out}" in said
    assert "\x1b" not in said
    run = ganzoo.load(out)
    assert run.status == "interrupted"
    assert run.checkpoint.name == f"step-{run.step:08d}"
    stopped = run.step
    assert exit_status(["resume", str(out), "--steps", str(stopped + 5), "--quiet"]) == 0
    assert ganzoo.load(out).step == stopped + 5


def test_a_reader_that_goes_away_does_not_end_the_run(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "ganzoo", "run", str(recipe), "--out", str(out), "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert ganzoo.load(out).status == "finished"
