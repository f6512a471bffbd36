"""Two processes that do one thing at once: one does it, and the other too, or it says what to do; nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import RunError

Write = Callable[[Path, str], Path]


def begin(*words: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ganzoo", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def both(*words: object, cwd: Path) -> list[tuple[int, str]]:
    """The exit status and the errors of two processes with one command, the better first."""
    processes = [begin(*words, cwd=cwd) for _ in range(2)]
    return sorted((process.wait(), process.communicate()[1]) for process in processes)


def test_of_two_runs_with_one_out_one_is_played_and_the_other_refused(tmp_path: Path, small_recipe: Write) -> None:
    recipe = small_recipe(tmp_path / "small.toml", "")
    (first, _), (second, said) = both("run", recipe, "--out", "run", "--device", "cpu", cwd=tmp_path)
    assert (first, second) == (0, 2)
    assert "run exists already and holds something else." in said
    assert ganzoo.load(tmp_path / "run").status == "finished"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["points.toml", "run", "small.toml"]


def test_a_run_that_another_process_trains_is_not_resumed_but_may_be_looked_at(
    tmp_path: Path, small_recipe: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ganzoo.train(small_recipe(tmp_path / "small.toml", ""), out=tmp_path / "run", device="cpu", quiet=True)
    with run.files.training_lock():
        other = begin("resume", "run", "--steps", 100, "--device", "cpu", cwd=tmp_path)
        assert other.wait() == 2
        assert "run is being trained by another process.\n  Wait for it, or stop it." in other.communicate()[1]
        for command in (["report"], ["sample", "-o", str(tmp_path / "samples.png")], ["card"]):
            assert exit_status([command[0], str(tmp_path / "run"), *command[1:]]) == 0
    capsys.readouterr()
    assert ganzoo.resume(tmp_path / "run", steps=run.step + 2, device="cpu", quiet=True).status == "finished"


def test_two_evaluations_of_one_run_record_one_score(tmp_path: Path, small_recipe: Write) -> None:
    ganzoo.train(small_recipe(tmp_path / "small.toml", ""), out=tmp_path / "run", device="cpu", quiet=True)
    words = ("evaluate", "run", "-n", 50, "--draws", 1, "--device", "cpu", "--metric", "gaussian-modes")
    assert [status for status, _ in both(*words, cwd=tmp_path)] == [0, 0]
    (file,) = (tmp_path / "run" / "evaluations").iterdir()
    assert json.loads(file.read_text())["scores"]


def test_a_machine_without_a_folder_for_temporary_files_is_told_so(
    tmp_path: Path, small_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "gone")])
    with pytest.raises(RunError, match="no folder for temporary files can be written"):
        ganzoo.train(small_recipe(tmp_path / "small.toml", ""), out=tmp_path / "run", device="cpu", quiet=True)
    assert not (tmp_path / "run").exists()
