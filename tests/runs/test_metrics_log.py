"""Damage in metrics.jsonl costs the damaged lines and no others, and blocks nothing that a run is needed for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.display.report import page
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.runs.directory import RunDirectory

Captured = pytest.CaptureFixture[str]
Damage = Callable[[Path], None]

RECIPE = """
[train]
steps = 12
batch_size = 16
log_every = 1
sample_every = 0
checkpoint_every = 6
"""

TIMINGS = ("seconds", "samples_per_second")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Callable[[Path, str], Path]) -> Path:
    """A run of 12 steps, with a row for each."""
    folder = tmp_path_factory.mktemp("logged")
    ganzoo.train(small_recipe(folder / "logged.toml", RECIPE), out=folder / "run", quiet=True, device="cpu")
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def rows_of(run: Path) -> list[dict[str, Any]]:
    """The rows apart from timings."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMINGS} for row in rows]


def line(number: int, content: bytes) -> Damage:
    """Damage that puts `content` in the place of a line, counted from 1."""

    def damage(log: Path) -> None:
        lines = log.read_bytes().split(b"\n")
        lines[number - 1] = content
        log.write_bytes(b"\n".join(lines))

    return damage


LINES = {
    "empty": b"",
    "no JSON": b'{"step": 3, "epo',
    "no UTF-8": b'{"step": 3, "loss/generator\xff": 0.5}',
    "a list": b"[1, 2, 3]",
    "a text for a number": b'{"step": 3, "loss/generator": "0.5"}',
    "no step": b'{"loss/generator": 0.5}',
    "a step that is none": b'{"step": -3}',
    "no number": b'{"step": 3, "loss/generator": NaN}',
    "a number beyond all bounds": b'{"step": 3, "loss/generator": 1' + b"0" * 5000 + b"}",
    "nested deeply": b'{"step": ' + b"[" * 100_000 + b"}",
    "zeros": bytes(300),
}


@pytest.mark.parametrize("content", LINES.values(), ids=LINES)
def test_a_damaged_line_costs_no_other_row_on_resume(run: Path, content: bytes, capsys: Captured) -> None:
    expected = [row for row in rows_of(run) if row["step"] != 3]
    line(3, content)(run / "metrics.jsonl")
    damaged = (run / "metrics.jsonl").read_bytes()
    ganzoo.resume(run, steps=14, quiet=True, device="cpu")
    rows = rows_of(run)
    assert rows[:11] == expected
    assert [row["step"] for row in rows[11:]] == [13, 14]
    said = capsys.readouterr().err
    assert said.count("metrics.jsonl: line 3 is no row of numbers") == 1
    assert "metrics.jsonl.damaged" in said
    assert (run / "metrics.jsonl.damaged").read_bytes() == damaged
    ganzoo.resume(run, steps=16, quiet=True, device="cpu")
    assert capsys.readouterr().err == ""


def test_several_damaged_lines_are_all_named(run: Path) -> None:
    for number in (2, 5, 9):
        line(number, b"damaged")(run / "metrics.jsonl")
    log = ganzoo.load(run).log
    assert [row["step"] for row in log.rows] == [1, 3, 4, 6, 7, 8, 10, 11, 12]
    assert log.damage == f"{run / 'metrics.jsonl'}: lines 2, 5 and 9 are not rows of numbers with a step."


def test_of_thousands_of_damaged_lines_the_first_are_named_and_the_others_counted(run: Path) -> None:
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b"\n" * 5000)
    log = ganzoo.load(run).log
    assert len(log.rows) == 12
    assert "lines 13, 14, 15, 16, 17, 18, 19, 20 and 4,992 more are not rows" in log.damage


def test_a_last_line_that_was_cut_off_is_no_damage(run: Path, capsys: Captured) -> None:
    whole = rows_of(run)
    content = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(content[:-20])
    loaded = ganzoo.load(run)
    assert loaded.log.damage == ""
    assert len(loaded.metrics) == 11
    files = RunDirectory(run)
    files.write_facts({**files.read_facts(), "status": "running"})
    (run / "checkpoints" / "step-00000012" / "generator.safetensors").unlink()
    ganzoo.resume(run, quiet=True, device="cpu")
    assert rows_of(run) == whole
    assert "metrics.jsonl" not in capsys.readouterr().err
    assert not (run / "metrics.jsonl.damaged").exists()


def test_rows_that_stay_are_not_changed_by_a_byte(run: Path) -> None:
    before = (run / "metrics.jsonl").read_bytes()
    ganzoo.resume(run, steps=13, quiet=True, device="cpu")
    assert (run / "metrics.jsonl").read_bytes().startswith(before)


def no_file(log: Path) -> None:
    log.unlink()


def a_pipe(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)


def a_folder(log: Path) -> None:
    log.unlink()
    log.mkdir()


def endless(log: Path) -> None:
    log.unlink()
    log.symlink_to("/dev/zero")


def sparse(log: Path) -> None:
    os.truncate(log, 20 * 2**30)


def one_long_line(log: Path) -> None:
    os.truncate(log, 2**31)


DAMAGES = {
    "empty line": line(3, b""),
    "no UTF-8": line(3, b"\xff"),
    "no file": no_file,
    "a pipe": a_pipe,
    "a folder": a_folder,
    "endless": endless,
    "20 GiB": sparse,
    "one long line": one_long_line,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_log_blocks_nothing_and_is_said_where_it_matters(
    run: Path, trained: Path, damage: Damage, capsys: Captured
) -> None:
    damage(run / "metrics.jsonl")
    named = "metrics.jsonl" if damage is not no_file else ""
    loaded = ganzoo.load(run)
    assert loaded.sample(2).shape == (2, 2)
    assert named in page(loaded).partition('<th scope="row">not read</th>')[2][:400]
    assert bool([text for text in examine(loaded, samples=False).not_examined if "metrics.jsonl" in text]) == bool(
        named
    )
    assert (str(run / "metrics.jsonl") in ganzoo.compare([run, trained]).html()) == bool(named)
    assert ganzoo.evaluate(run, metrics=["gaussian-modes"], n=50, draws=1, device="cpu")
    ganzoo.resume(run, steps=13, quiet=True, device="cpu")
    assert rows_of(run)[-1]["step"] == 13
    assert named in capsys.readouterr().err
    assert os.path.lexists(run / "metrics.jsonl.damaged") == bool(named)
    assert ganzoo.load(run).log.damage == ""


def test_whoever_asks_for_the_rows_is_told_what_is_left_out(run: Path) -> None:
    line(3, b"{}")(run / "metrics.jsonl")
    loaded = ganzoo.load(run)
    with pytest.warns(UserWarning, match="line 3 is no row of numbers"):
        assert len(loaded.metrics) == 11


@pytest.mark.parametrize("command", [["report"], ["doctor", "--no-samples"]])
def test_the_command_line_goes_on_with_a_damaged_log(run: Path, command: list[str], capsys: Captured) -> None:
    line(3, b'"\xff"')(run / "metrics.jsonl")
    assert exit_status([*command, str(run)]) == 0
    assert "error" not in capsys.readouterr().err
