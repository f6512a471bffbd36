"""A suite's directory is told from somebody else's by more than one file's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ganzoo.cli import exit_status
from ganzoo.datasets.temporaries import temporary_name
from ganzoo.errors import RunError
from ganzoo.evaluation.suites.runs import SuiteDirectory


def test_a_folder_with_a_suite_of_ones_own_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text("mine")
    with pytest.raises(RunError, match="holds something else"):
        SuiteDirectory(tmp_path).create()
    assert [path.name for path in tmp_path.iterdir()] == ["suite.toml"]


def test_folders_that_hold_something_are_not_taken_for_a_suites(tmp_path: Path) -> None:
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    with pytest.raises(RunError, match="holds something else"):
        SuiteDirectory(tmp_path).create()


def test_one_that_was_killed_before_its_suite_was_written_goes_on(tmp_path: Path) -> None:
    for name in ("recipes", "runs", "times"):
        (tmp_path / name).mkdir()
    (tmp_path / ".lock").touch()
    (tmp_path / temporary_name()).touch()
    SuiteDirectory(tmp_path).create()


def test_only_exact_names_are_runs_of_a_suite(tmp_path: Path) -> None:
    folder = SuiteDirectory(tmp_path)
    for name in ("wide-seed-0", "wide-seed-12", "wide-seed-007", "wide-seed-1 (copy)", "wide-seed-٣", "wide-seed-"):
        (folder.runs / name).mkdir(parents=True)
    suite = cast(Any, SimpleNamespace(entries=(SimpleNamespace(name="wide"),)))
    assert [run.directory.name for run in folder.existing_runs(suite)] == ["wide-seed-0", "wide-seed-12"]


def test_another_suite_with_the_same_out_is_refused_by_name(
    tiny: Path, tmp_path: Path, in_process_workers: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def play(suite: Path) -> int:
        words = ["benchmark", str(suite), "--out", str(tmp_path / "out"), "--device", "cpu", "--steps", "1"]
        return exit_status([*words, "--seeds", "0"])

    assert play(tiny) == 0
    other = tmp_path / "other.toml"
    other.write_text(tiny.read_text().replace('"plain"', '"broad"'))
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert play(other) == 2
    assert f'holds the suite "tiny", and {other} is another one, "other".' in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    renamed = tmp_path / "renamed.toml"
    renamed.write_text(tiny.read_text())
    assert play(renamed) == 0


def test_a_directory_that_another_process_prepares_meanwhile_is_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = SuiteDirectory(tmp_path)
    listed = Path.iterdir

    def meanwhile(path: Path) -> Iterator[Path]:
        for made in (folder.recipes, folder.runs, folder.times):
            made.mkdir(exist_ok=True)
        (folder.recipes / "wide.toml").touch()
        folder.suite.touch()
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", meanwhile)
    folder.create()
