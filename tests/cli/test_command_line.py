"""The command line as a whole: what it says when something is wrong, and what it ends with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import click
import pytest

import ganzoo
from ganzoo import cli
from ganzoo.cli import exit_status
from ganzoo.cli.group import BUILTIN_COMMANDS
from ganzoo.errors import DatasetError, TrainingFailed

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def broken_by(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Lets a test replace what `ganzoo list` does."""
    return monkeypatch


def make_list_raise(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Raised by a mock, so that no frame of this file is on the way, as where ganzoo itself raises."""
    callback = Mock(side_effect=error)
    monkeypatch.setattr(cli.ganzoo.get_command(click.Context(cli.ganzoo), "list"), "callback", callback)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            DatasetError("the file is cut off.", remedy="Get it again."),
            2,
            "error: the file is cut off.\n  Get it again.\n",
        ),
        (TrainingFailed("the loss is nan."), 1, "error: the loss is nan.\n"),
        (PermissionError(13, "Permission denied", "runs/x"), 1, "error: runs/x: Permission denied\n"),
        (OSError(28, "No space left on device"), 1, "error: No space left on device\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.UsageError("give one of them."), 2, "Error: give one of them.\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_each_kind_of_failure_has_its_status_and_one_message(
    error: BaseException, status: int, said: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_list_raise(monkeypatch, error)
    assert exit_status(["list"]) == status
    assert capsys.readouterr().err.endswith(said)


def test_a_fault_of_our_own_says_so_and_how_to_see_more(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    make_list_raise(monkeypatch, ZeroDivisionError("division by zero"))
    assert exit_status(["list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ZeroDivisionError: division by zero\n")
    assert "GANZOO_DEBUG=1" in said
    assert "Traceback" not in said


def test_debugging_shows_the_traceback_and_keeps_the_status(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_DEBUG", "1")
    make_list_raise(monkeypatch, DatasetError("the file is cut off."))
    assert exit_status(["list"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("error: the file is cut off.\n")


@pytest.mark.parametrize(
    "arguments", [["list", "--bogus"], ["lst"], ["list", "losses", "games"], ["run"], ["run", "x", "--steps", "0"]]
)
def test_a_wrong_command_line_ends_with_2_and_no_traceback(arguments: list[str], capsys: Captured) -> None:
    assert exit_status(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Error: " in captured.err


def test_the_nearest_command_is_offered(capsys: Captured) -> None:
    assert exit_status(["lst"]) == 2
    assert "Did you mean list?" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_without_importing_one(flag: str) -> None:
    probe = (
        f"import sys; from ganzoo.cli import exit_status; status = exit_status([{flag!r}]); "
        "print([name for name in sys.modules if name.startswith('ganzoo.cli.')], status)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    *said, last = done.stdout.splitlines()
    assert last == "['ganzoo.cli.group'] 0"
    for name, component in BUILTIN_COMMANDS.items():
        assert f"{name} " in done.stdout
        assert component.summary in " ".join(" ".join(said).split())


@pytest.mark.parametrize("name", BUILTIN_COMMANDS)
def test_every_command_has_a_file_and_help_of_its_own(name: str, capsys: Captured) -> None:
    assert (Path(cli.__file__).parent / f"{name}.py").is_file()
    assert exit_status([name, "--help"]) == 0
    assert f"Usage: ganzoo {name}" in capsys.readouterr().out


def test_version_is_the_packages(capsys: Captured) -> None:
    assert exit_status(["--version"]) == 0
    assert capsys.readouterr().out == f"ganzoo, version {ganzoo.__version__}\n"


@pytest.mark.parametrize("start", [["-m", "ganzoo"], ["-c", "from ganzoo.cli import main; main()"]])
def test_the_program_ends_with_the_status(start: list[str]) -> None:
    def status(*arguments: str) -> int:
        done = subprocess.run([sys.executable, *start, *arguments], capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode

    assert status("list", "games") == 0
    assert status("list", "nothing") == 2


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "ganzoo", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    said = program.stderr.read()
    program.stderr.close()
    program.wait()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
