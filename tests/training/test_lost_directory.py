"""A run whose directory disappears ends, says so, and makes no new one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import TrainingFailed

SETTINGS = """
[train]
steps = 40
log_every = {log}
sample_every = {sample}
checkpoint_every = {checkpoint}
"""

Write = Callable[[Path, str], Path]


class Lose:
    """Does something to the run's directory when the run begins, or at its first checkpoint."""

    def __init__(self, lose: Callable[[Path], object], *, at_once: bool = True) -> None:
        self.lose = lose
        self.at_once = at_once

    @ganzoo.hookimpl
    def ganzoo_run_started(self, run: ganzoo.Run) -> None:
        if self.at_once:
            self.lose(run.directory)

    @ganzoo.hookimpl
    def ganzoo_checkpoint(self, run: ganzoo.Run) -> None:
        if not self.at_once:
            self.lose(run.directory)


def move(directory: Path) -> None:
    directory.rename(directory.with_name("moved"))


def replace_by_another(directory: Path) -> None:
    move(directory)
    shutil.copytree(directory.with_name("other"), directory)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("log", "sample", "checkpoint"), [(5, 0, 0), (0, 10, 0), (0, 0, 10), (0, 0, 0), (5, 10, 10)])
def test_a_run_whose_directory_is_deleted_ends_and_makes_no_new_one(
    tmp_path: Path, small_recipe: Write, log: int, sample: int, checkpoint: int
) -> None:
    settings = SETTINGS.format(log=log, sample=sample, checkpoint=checkpoint)
    recipe = small_recipe(tmp_path / "small.toml", settings)
    with pytest.raises(TrainingFailed, match="does not hold this run any more") as caught:
        ganzoo.train(recipe, out=tmp_path / "runs" / "run", quiet=True, observers=[Lose(shutil.rmtree)])
    assert caught.value.exit_status == 1
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_was_moved_goes_on_at_its_new_place(tmp_path: Path, small_recipe: Write) -> None:
    recipe = small_recipe(tmp_path / "small.toml", SETTINGS.format(log=5, sample=0, checkpoint=10))
    with pytest.raises(TrainingFailed, match="does not hold this run any more"):
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[Lose(move, at_once=False)])
    assert not (tmp_path / "run").exists()
    resumed = ganzoo.resume(tmp_path / "moved", quiet=True)
    assert (resumed.status, resumed.facts["resumed"][0]["step"]) == ("finished", 10)


def test_a_run_does_not_write_into_another_that_took_its_place(tmp_path: Path, small_recipe: Write) -> None:
    recipe = small_recipe(tmp_path / "small.toml", SETTINGS.format(log=5, sample=5, checkpoint=10))
    ganzoo.train(recipe, out=tmp_path / "other", quiet=True)
    before = contents(tmp_path / "other")
    with pytest.raises(TrainingFailed, match="does not hold this run any more"):
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[Lose(replace_by_another, at_once=False)])
    assert contents(tmp_path / "run") == before


def test_folders_that_are_deleted_in_a_running_run_are_made_again(tmp_path: Path, small_recipe: Write) -> None:
    def tidy(directory: Path) -> None:
        shutil.rmtree(directory / "samples")
        shutil.rmtree(directory / "checkpoints")

    recipe = small_recipe(tmp_path / "small.toml", SETTINGS.format(log=5, sample=20, checkpoint=20))
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[Lose(tidy)])
    assert (run.status, run.checkpoint_step) == ("finished", 40)


def test_the_command_line_says_it_and_ends_with_status_1(
    tmp_path: Path, small_recipe: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo.training import session

    monkeypatch.setattr(session.Session, "log", lambda self: shutil.rmtree(self.run.directory))
    recipe = small_recipe(tmp_path / "small.toml", SETTINGS.format(log=5, sample=0, checkpoint=10))
    assert exit_status(["run", str(recipe), "--out", str(tmp_path / "run"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'run'} does not hold this run any more" in said
    assert "fault in ganzoo" not in said
    assert not (tmp_path / "run").exists()
