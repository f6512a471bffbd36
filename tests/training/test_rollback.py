"""[train] on_nan = "rollback": a run that diverges goes back, with lower rates, and is the same run after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.errors import RecipeError, TrainingFailed
from ganzoo.recipe import read_recipe
from ganzoo.runs.branches import branches_of
from ganzoo.runs.checkpoint import checkpoints_of, load_checkpoint
from ganzoo.training.session import Session

RECIPE = """
description = "diverges at its first rate"
[generator]
name = "mlp"
latent_dim = 4
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "least-squares"
[dataset]
name = "gaussians"
size = 320
[optimizer.generator]
name = "sgd"
lr = 1.0
[optimizer.discriminator]
name = "sgd"
lr = {rate}
[train]
steps = 40
batch_size = 32
log_every = 2
sample_every = 0
checkpoint_every = 4
on_nan = "rollback"
rollback_times = 6
rollback_lr_factor = 0.1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.format(rate="100.0"))
    return path


def end(run: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    last = load_checkpoint(checkpoints_of(run / "checkpoints")[-1])
    weights = {file: {name: value.tolist() for name, value in held.items()} for file, held in last.tensors.items()}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return weights, [{k: v for k, v in row.items() if k not in ("seconds", "samples_per_second")} for row in rows]


def told(run: Path) -> list[tuple[int, int | None, str]]:
    facts = json.loads((run / "run.json").read_text())
    return [(branch.step, branch.left, branch.reason) for branch in branches_of(facts)]


def test_a_run_that_diverges_goes_back_with_lower_rates_and_ends(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", plain=True)
    assert (run.status, run.step) == ("finished", 40)
    branches = branches_of(run.facts)
    assert branches
    assert all("Rolled back, with learning rates at" in branch.reason for branch in branches)
    state = load_checkpoint(run.checkpoint).state
    assert state["rollbacks"] == len(branches)
    assert state["optimizers"]["generator"]["groups"][0]["lr"] == pytest.approx(0.1 ** len(branches))
    assert "Rolled back, with learning rates at 0.1 of the recipe's" in capsys.readouterr().out
    assert [row["step"] for row in run.metrics] == list(range(2, 41, 2))
    assert run.recipe == read_recipe(recipe)  # the recipe says it, and gives the same run again
    again = ganzoo.train(run.directory / "recipe.toml", out=tmp_path / "again", device="cpu", quiet=True)
    assert end(again.directory) == end(run.directory)
    assert told(again.directory) == told(run.directory)


@pytest.mark.parametrize("rollbacks", [1, 2, 3])
def test_a_run_that_is_killed_after_a_rollback_ends_as_if_it_had_not_been(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rollbacks: int
) -> None:
    ganzoo.train(recipe, out=tmp_path / "straight", device="cpu", quiet=True)
    with monkeypatch.context() as patched:
        patched.setattr(Session, "log", killed_after(rollbacks))
        with pytest.raises(Killed):
            ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    ganzoo.resume(tmp_path / "run", device="cpu", quiet=True)
    assert end(tmp_path / "run") == end(tmp_path / "straight")
    assert told(tmp_path / "run") == told(tmp_path / "straight")


def test_after_so_many_rollbacks_a_run_fails_and_goes_on_with_the_rates_that_are_set(
    recipe: Path, tmp_path: Path
) -> None:
    once = ["train.rollback_times=1", "train.rollback_lr_factor=0.9"]
    with pytest.raises(TrainingFailed, match="after 1 rollback"):
        ganzoo.train(recipe, out=tmp_path / "run", overrides=once, device="cpu", quiet=True)
    low = [f"optimizer.{player}.lr=1e-3" for player in ("generator", "discriminator")]
    run = ganzoo.resume(tmp_path / "run", overrides=low, device="cpu", quiet=True)
    assert run.status == "finished"
    assert load_checkpoint(run.checkpoint).state["optimizers"]["generator"]["groups"][0]["lr"] == 1e-3


def test_without_it_a_run_stops(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="Lower the learning rates"):
        ganzoo.train(recipe, out=tmp_path / "run", overrides=["train.on_nan=stop"], device="cpu", quiet=True)
    assert not told(tmp_path / "run")


def test_its_options_are_checked(recipe: Path) -> None:
    for wrong in ("train.on_nan=again", "train.rollback_times=0", "train.rollback_lr_factor=1.0"):
        with pytest.raises(RecipeError, match=wrong.partition("=")[0]):
            read_recipe(recipe, overrides=[wrong])


class Killed(Exception):
    """In the place of a signal that no process survives."""


def killed_after(rollbacks: int) -> Callable[[Session], str | None]:
    """In the place of Session.log: the process ends, as it were, at the first row after so many rollbacks."""
    log = Session.log

    def killing(session: Session) -> str | None:
        if len(session.run.facts.get("branches", [])) == rollbacks:
            raise Killed
        return log(session)

    return killing
