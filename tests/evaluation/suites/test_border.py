"""Suites and their directories from anywhere: what is wrong is told by file and key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import exit_status
from ganzoo.errors import RecipeError, RunError
from ganzoo.evaluation.suites.cpu_times import read_cpu_times
from ganzoo.evaluation.suites.reading import read_suite

SUITE = """
seeds = [0]
[budget]
steps = 5
[score]
metrics = ["fid"]
[[entry]]
recipe = "vanilla_mnist"
"""

DAMAGED = {
    "cut": b'{"0": 0.0, "10": 1.',
    "a list": b"[1, 2]",
    "a key that is no step": b'{"ten": 1.0}',
    "a time that is none": b'{"10": "soon"}',
    "not finite": b'{"10": NaN}',
    "nested deep": b"[" * 100_000,
    "a long number": b'{"10": ' + b"9" * 100_000 + b"}",
    "no UTF-8": b'{"\xff": 1.0}',
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_cpu_times_are_named_with_what_to_do(what: str, tmp_path: Path) -> None:
    """They were left out of the table without a word, or ended in a traceback."""
    path = tmp_path / "a-seed-0.json"
    path.write_bytes(DAMAGED[what])
    with pytest.raises(RunError, match=r"a-seed-0\.json: this run's CPU times cannot be read: ") as caught:
        read_cpu_times(path)
    assert "Delete the file" in caught.value.remedy
    path.unlink()
    assert read_cpu_times(path) == {}


def test_cpu_times_in_a_pipe_or_of_20_gib_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(RunError, match="Not a plain file"):
        read_cpu_times(tmp_path / "pipe.json")
    (tmp_path / "sparse.json").touch()
    os.truncate(tmp_path / "sparse.json", 20 * 2**30)
    with pytest.raises(RunError, match="Larger than 16 MiB"):
        read_cpu_times(tmp_path / "sparse.json")


WRONG: dict[str, tuple[str, str, int, str]] = {
    "many entries": ("", '[[entry]]\nrecipe = "vanilla_mnist"\n' * 2_000, 0, "a suite has at most 256 entries"),
    "many seeds": ("seeds = [0]", f"seeds = {list(range(5_000))}", 2, "seeds should be list of int"),
    "a table as a value": ("[budget]\nsteps = 5", "budget = 5", 3, "budget should be a table; found 5"),
    "set as a list": ("[budget]", "set = [1]\n[budget]", 3, "set should be a table"),
    "a part as a value": ("[budget]", "set.generator = 5\n[budget]", 3, "generator should be a table; found 5"),
    "a name that no folder has": (
        "[[entry]]",
        f'[[entry]]\nname = "{"n" * 300}"',
        8,
        "letters, digits and - _ . + only, at most 100",
    ),
    "a recipe that no file is": ('"vanilla_mnist"', f'"{"n" * 5_000}"\nname = "mine"', 8, "no such file"),
    "a recipe with a zero byte": ('"vanilla_mnist"', '"a\\u0000b"\nname = "mine"', 8, "no such file"),
    "a date": ("steps = 5", "steps = 2024-01-01", 4, "found 2024-01-01 (a date or time)"),
    "a number as text": ("steps = 5", 'steps = "5"', 4, "Write steps = 5."),
    "a key of many parts": ("[budget]", "a." * 40_000 + "a = 1\n[budget]", 3, "a key has more than 16 parts"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_suite_is_told_by_file_line_and_key(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, line, reason = WRONG[what]
    path = tmp_path / "mine.toml"
    path.write_text(SUITE.replace(old, new, 1) if old else SUITE + new)
    with pytest.raises(RecipeError) as caught:
        read_suite(path)
    told: Any = str(caught.value)
    assert told.startswith(f"{path}:{line}:" if line else f"{path}:")
    assert reason in told
    assert exit_status(["benchmark", str(path), "--out", str(tmp_path / "out")]) == 2
    assert str(path) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_suite_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "suite.toml")
    with pytest.raises(RecipeError, match="Not a plain file"):
        read_suite(tmp_path / "suite.toml")
