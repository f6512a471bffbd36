"""`ganzoo doctor`: of a run and of the machine, in words and as JSON, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.evaluation.doctor.machine import describe_machine, extras

Captured = pytest.CaptureFixture[str]


def test_a_run_is_diagnosed_in_words(glyph_run: Path, capsys: Captured) -> None:
    assert exit_status(["doctor", str(glyph_run)]) == 0
    said = capsys.readouterr().out
    assert "samples: 1,000 of step 20, in stand-in" in said
    assert "rows are too few; lower train.log_every" in said
    for label in ("seen", "it means", "change", "see"):  # 20 steps of a tiny network are alike, whatever it draws
        assert any(line.startswith(label) for line in said.splitlines()), said
    assert "mode collapse" in said


def test_json_is_all_that_is_printed_and_holds_every_part(glyph_run: Path, capsys: Captured) -> None:
    assert exit_status(["doctor", str(glyph_run), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["status"], printed["step"]) == ("finished", 20)
    assert {"name", "severity", "seen", "figures", "means", "change", "paper", "steps"} == printed["findings"][0].keys()
    assert [one["name"] for one in printed["findings"]] == [one.name for one in ganzoo.diagnose(glyph_run)]
    assert printed["checked"]
    assert printed["not_examined"]


def test_without_samples_no_data_are_asked_for(glyph_run: Path, capsys: Captured) -> None:
    assert exit_status(["doctor", str(glyph_run), "--no-samples"]) == 0
    said = capsys.readouterr().out
    assert "that was not asked for" in said
    assert "findings      none" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nowhere"], "is not a run"), (["--no-samples"], "name one"), (["--metric", "fid"], "No such option")],
)
def test_bad_input_is_one_message_and_status_2(capsys: Captured, arguments: list[str], said: str) -> None:
    assert exit_status(["doctor", *arguments]) == 2
    streams = capsys.readouterr()
    assert said in streams.err
    assert streams.out == ""
    assert "Traceback" not in streams.err


def test_the_machine_is_described(tmp_path: Path, capsys: Captured) -> None:
    assert exit_status(["doctor", "--data-root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    lines = {line[:14].strip(): line[14:] for line in said.splitlines()}
    assert ganzoo.__version__ in lines["ganzoo"]
    assert "cores" in lines["cpu"]
    assert lines["data root"] == str(tmp_path)
    assert {"glyphs", "gaussians"} <= set(lines["at hand"].split(", "))
    assert {"mnist", "cifar10", "stacked-mnist"} <= set(lines["not here"].split(", "))
    assert "0 broken" in lines["plugins"]


def test_the_machine_as_json_is_all_that_is_printed(capsys: Captured) -> None:
    assert exit_status(["doctor", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() == describe_machine().keys()
    assert printed["memory"]["total"] > printed["memory"]["available"] > 0
    assert all(plugin["status"] == "ok" for plugin in printed["plugins"])


def test_data_that_are_there_are_said_to_be(real_data: Path) -> None:
    found = describe_machine(real_data)["datasets"]
    assert found["mnist"] is True
    assert found["stacked-mnist"] is True
    assert found["fashion-mnist"] is False
    assert "image-folder" not in found  # it is wherever its option says


def test_every_extra_is_listed_with_what_it_lacks() -> None:
    found = extras()
    assert {"dev", "zoo"} <= found.keys()
    assert "pytest" not in found["dev"]  # it runs this test


def test_a_broken_plugin_is_named_with_its_cause(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    from ganzoo.cli.doctor import machine_lines, print_lines

    here = describe_machine()
    here["plugins"] = [
        {
            "name": "third",
            "distribution": "third-gan",
            "version": "2.0",
            "status": "broken",
            "slow": "",
            "cause": "no module x",
        }
    ]
    print_lines(machine_lines(here))
    said = capsys.readouterr().out
    assert "0 in order, 1 broken" in said
    assert "third of third-gan 2.0: no module x" in said
