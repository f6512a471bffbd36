"""Outputs that are closed, full or narrow, and environments without what programs rely on: work, or one message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[Path, str], Path]

COMMANDS = (["--help"], ["list"], ["list", "--json"], ["show", "hinge"])


def ganzoo(
    *arguments: str, redirect: str = "", cwd: Path, **environment: str | None
) -> subprocess.CompletedProcess[bytes]:
    """The command line in a shell, which redirects as `redirect` says. An environment's None unsets a variable."""
    kept = {**os.environ, **environment}
    given = {name: value for name, value in kept.items() if value is not None}
    command = ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "ganzoo", *arguments]
    return subprocess.run(command, env=given, cwd=cwd, capture_output=True, check=False)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_under_standard_output_is_one_message(arguments: list[str], tmp_path: Path) -> None:
    done = ganzoo(*arguments, redirect=">/dev/full", cwd=tmp_path)
    assert done.returncode == 1
    message = b"error: standard output cannot be written: No space left on device. Lines of the output are lost.\n"
    assert done.stderr == message


@pytest.mark.parametrize("redirect", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_outputs_are_no_failure(redirect: str, tmp_path: Path) -> None:
    for arguments in COMMANDS:
        done = ganzoo(*arguments, redirect=redirect, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b""), arguments
    assert ganzoo("list", "nothing", redirect=redirect, cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("redirect", [">/dev/full 2>/dev/full", "<&- >&- 2>&-"])
def test_a_run_needs_no_output(redirect: str, tmp_path: Path, small_recipe: Write) -> None:
    recipe = small_recipe(tmp_path / "recipe.toml", "")
    done = ganzoo("run", str(recipe), "--out", "run", "--device", "cpu", redirect=redirect, cwd=tmp_path)
    assert done.returncode == (1 if "full" in redirect else 0)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"
    for file in (tmp_path / "run").rglob("*"):
        assert not file.is_file() or b"ganzoo resume" not in file.read_bytes()


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"COLUMNS": "1"},
        {"TERM": "dumb"},
        {"TERM": None, "HOME": None},
        {"HOME": "/nonexistent", "XDG_CACHE_HOME": None},
    ],
    ids=str,
)
def test_odd_environments_change_no_status(environment: dict[str, str | None], tmp_path: Path) -> None:
    for arguments in (["list"], ["list", "nothing"]):
        done = ganzoo(*arguments, cwd=tmp_path, **environment)
        assert (done.returncode, b"Traceback" in done.stderr) == (2 if "nothing" in arguments else 0, False)


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str)
def test_bytes_on_the_command_line_that_are_not_utf_8_are_shown_as_such(
    environment: dict[str, str | None], tmp_path: Path
) -> None:
    name = os.fsdecode(b"caf\xe9")
    for arguments in (["list", name], ["show", name]):
        done = ganzoo(*arguments, cwd=tmp_path, **environment)
        assert done.returncode == 2
        assert rb"caf\xe9" in done.stderr
        assert b"Traceback" not in done.stderr
