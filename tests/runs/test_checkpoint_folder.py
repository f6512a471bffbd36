"""Only what the run itself has written is counted as its checkpoints, chosen among them, or deleted."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.runs.checkpoint import Checkpoint, checkpoints_of, load_checkpoint, save_checkpoint, step_in, step_name
from ganzoo.runs.checkpoint_folder import CheckpointFolder

OFTEN = "[train]\nsteps = 40\ncheckpoint_every = 10\nlog_every = 5\nsample_every = 20\nkeep = 1\n"


def save(folder: Path, step: int, *, run: str | None = "mine") -> Path:
    """A checkpoint of a step, as a run writes it."""
    path = folder / step_name(step)
    save_checkpoint(path, Checkpoint({"generator": {"weight": torch.ones(2)}}, {"step": step}), run_id=run)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    """A run's checkpoints of steps 0, 10 and 20, of 40."""
    (tmp_path / "checkpoints").mkdir()
    for step in (0, 10, 20):
        save(tmp_path / "checkpoints", step)
    return CheckpointFolder(tmp_path / "checkpoints", "mine", 40)


STRANGERS = [
    "step-best",
    "step-99999999",
    "step-00000020-backup",
    "step-00000020 (copy)",
    "step-20",
    "step-000000030",
    "step-0000003٠",
    "Step-00000030",
    "step-00000030.old",
]


@pytest.mark.parametrize("name", STRANGERS)
def test_a_folder_of_another_name_is_neither_counted_nor_deleted(folder: CheckpointFolder, name: str) -> None:
    shutil.copytree(folder.path / step_name(20), folder.path / name)
    (folder.path / name / "mine.txt").write_text("precious")
    assert folder.newest() == folder.path / step_name(20)
    folder.keep_last(1)
    folder.drop_later(15)
    folder.keep_only(15)
    assert names(folder.path) == [name]


@pytest.mark.parametrize("step", [0, 9, 20, 99_999_999, 100_000_000])
def test_the_name_of_a_step_is_read_back(step: int) -> None:
    assert step_in(step_name(step)) == step


def test_checkpoints_are_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step in (100_000_000, 99_999_999, 5):
        (tmp_path / step_name(step)).mkdir()
    assert [path.name for path in checkpoints_of(tmp_path)] == ["step-00000005", "step-99999999", "step-100000000"]


def put_a_file(path: Path) -> None:
    path.write_text("precious")


def put_a_link(path: Path) -> None:
    path.symlink_to(path.parent / step_name(20))


def put_a_copy(path: Path) -> None:
    shutil.copytree(path.parent / step_name(20), path)


def put_another_runs(path: Path) -> None:
    save(path.parent, int(path.name[5:]), run="another")


def put_an_older_runs(path: Path) -> None:
    save(path.parent, int(path.name[5:]), run=None)


def put_notes(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("precious")


@pytest.mark.parametrize(
    "put", [put_a_file, put_a_link, put_a_copy, put_another_runs, put_an_older_runs, put_notes, Path.mkdir]
)
def test_what_has_a_checkpoints_name_and_is_none_of_the_runs_is_left_alone(
    folder: CheckpointFolder, put: Callable[[Path], None]
) -> None:
    put(folder.path / step_name(30))
    assert folder.newest() == folder.path / step_name(20)
    assert [found.path.name for found in folder.foreign()] == [step_name(30)]
    folder.keep_last(1)
    assert names(folder.path) == [step_name(20), step_name(30)]
    folder.drop_later(20)
    assert names(folder.path) == [step_name(20), step_name(30)]


@pytest.mark.parametrize("put", [put_a_file, put_a_link, put_a_copy, put_another_runs, put_notes])
def test_what_lies_where_a_checkpoint_is_due_is_renamed(folder: CheckpointFolder, put: Callable[[Path], None]) -> None:
    put(folder.path / step_name(30))
    assert "step-00000030-set-aside-1" in folder.make_room(30)
    save(folder.path, 30)
    assert folder.newest() == folder.path / step_name(30)
    assert names(folder.path)[-2:] == ["step-00000030", "step-00000030-set-aside-1"]


def test_a_damaged_checkpoint_is_not_counted_and_gives_way(folder: CheckpointFolder) -> None:
    damaged = save(folder.path, 30)
    (damaged / "state.json").write_text("{")
    folder.keep_last(2)
    assert names(folder.path) == [step_name(10), step_name(20), step_name(30)]
    assert "is written anew" in folder.make_room(30)
    assert names(folder.path) == [step_name(10), step_name(20)]


def test_a_damaged_one_beyond_the_budget_is_not_the_runs(folder: CheckpointFolder) -> None:
    damaged = save(folder.path, 99)
    (damaged / "state.json").write_text("{")
    assert folder.newest() == folder.path / step_name(20)
    folder.drop_later(0)
    assert names(folder.path) == [step_name(0), step_name(99)]


def test_only_the_last_checkpoints_are_kept(folder: CheckpointFolder) -> None:
    folder.keep_last(2)
    assert names(folder.path) == [step_name(10), step_name(20)]


class StopAt:
    """Ctrl-C at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step >= self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("name", ["step-best", "step-99999999", "step-00000020-backup", "step-00000020 (copy)"])
def test_a_resumed_run_keeps_its_weights_and_the_users_copies(
    tmp_path: Path, small_recipe: Callable[[Path, str], Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = small_recipe(tmp_path / "small.toml", OFTEN)
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[StopAt(20)])
    copy = run.files.checkpoints / name
    shutil.copytree(run.checkpoint, copy)
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    assert ganzoo.load(run.directory).checkpoint_step == 20
    done = ganzoo.resume(run.directory, quiet=True)
    assert (done.status, done.checkpoint_step) == ("finished", 40)
    assert names(run.files.checkpoints) == sorted([step_name(40), name])
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == before
    assert f"{copy} is not a checkpoint of this run" in capsys.readouterr().err


def test_a_run_of_before_there_were_ids_goes_on(tmp_path: Path, small_recipe: Callable[[Path, str], Path]) -> None:
    recipe = small_recipe(tmp_path / "small.toml", OFTEN)
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[StopAt(20)])
    run.files.write_facts({name: value for name, value in run.files.read_facts().items() if name != "id"})
    saved = load_checkpoint(run.files.checkpoint(20))
    shutil.rmtree(run.files.checkpoint(20))
    state = {key: value for key, value in saved.state.items() if key not in ("run", "digests", "format")}
    save_checkpoint(run.files.checkpoint(20), Checkpoint(saved.tensors, state))
    done = ganzoo.resume(run.directory, quiet=True)
    assert (done.status, names(run.files.checkpoints)) == ("finished", [step_name(40)])


def test_files_that_look_like_grids_and_scores_are_not_shown(
    tmp_path: Path, small_recipe: Callable[[Path, str], Path]
) -> None:
    run = ganzoo.train(small_recipe(tmp_path / "small.toml", OFTEN), out=tmp_path / "run", quiet=True)
    for name in ("step-99999999.png", "step-best.png", "step-00000020 (copy).png"):
        shutil.copy(run.files.grid(20), run.files.samples / name)
    assert [(grid.step, grid.name) for grid in run.grids] == [(0, ""), (20, ""), (40, "")]
    run.files.evaluations.mkdir()
    for name in ("notes.json", "step-00000040 (copy).json"):
        (run.files.evaluations / name).write_text(json.dumps({"mine": 1}))
    assert run.scores == []
