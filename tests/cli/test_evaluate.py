"""`ganzoo evaluate`: tables, JSON, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status

Captured = pytest.CaptureFixture[str]

QUICK = ["-n", "60", "--draws", "2", "--device", "cpu"]


def test_the_table_shows_no_number_without_its_protocol(glyph_run: Path, capsys: Captured) -> None:
    command = ["evaluate", str(glyph_run), "--metric", "fid", "--metric", "kid", "--set", "kid.subsets=5", *QUICK]
    assert exit_status(command) == 0
    said = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line.strip()}
    assert rows["fid"][-2:] == ["down", "a"]
    assert rows["kid"][-2:] == ["down", "b"]
    assert "60 generated against 60 of few-glyphs's test split, features of stand-in" in " ".join(rows["a"])
    assert "subsets 5" in " ".join(rows["b"])
    for part in ("step 20", "averaged weights", "seed 0", "sha256:", "Student's 95% interval", "2 draws"):
        assert part in said


def test_json_is_all_that_is_printed_and_is_what_was_recorded(glyph_run: Path, capsys: Captured) -> None:
    command = ["evaluate", str(glyph_run), "--metric", "precision-recall", "--seed", "21", "--json", *QUICK]
    assert exit_status(command) == 0
    printed = json.loads(capsys.readouterr().out)
    scores = [ganzoo.Score.from_json(value) for value in printed["scores"]]
    assert [score.name for score in scores] == ["precision", "recall"]
    assert scores == [score for score in ganzoo.load(glyph_run).scores if score.seed == 21]


def test_the_weights_themselves_and_another_extractor_are_said(glyph_run: Path, capsys: Captured) -> None:
    command = ["evaluate", str(glyph_run), "--metric", "fid", "--no-ema", "--extractor", "pixels", *QUICK]
    assert exit_status(command) == 0
    said = capsys.readouterr().out
    assert "the weights themselves" in said
    assert "features of pixels" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "fid", "--set", "kid.subsets=5"], "--set kid."),
        (["--metric", "kid", "--set", "kid.subset=5"], "Did you mean subsets"),
        (["--metric", "kid", "--set", "kid.subsets=many"], "kid.subsets should be int"),
        (["--metric", "kid", "--set", "subsets"], "NAME.KEY=VALUE"),
        (["--metric", "fidd"], 'no metric "fidd"'),
        (["--metric", "gaussian-modes"], "counts modes"),
        (["--device", "tpu"], 'no device "tpu"'),
        (["-n", "0"], "-n"),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    glyph_run: Path, capsys: Captured, arguments: list[str], said: str
) -> None:
    assert exit_status(["evaluate", str(glyph_run), *arguments]) == 2
    streams = capsys.readouterr()
    assert said in streams.err
    assert streams.out == ""
    assert "Traceback" not in streams.err


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: Captured) -> None:
    assert exit_status(["evaluate", str(tmp_path)]) == 2
    assert "is not a run" in capsys.readouterr().err
