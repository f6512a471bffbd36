"""`ganzoo check`: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganzoo.cli import exit_status
from ganzoo.plugins import zoo

Captured = pytest.CaptureFixture[str]

PLUGIN = """
from ganzoo import Component, hookimpl
@hookimpl
def ganzoo_components():
    return [
        Component("schedule", "falls", "checked_parts:Falls", "a line"),
        Component("schedule", "rises", "checked_parts:Rises", "another"),
        Component("schedule", "talks", "checked_parts:Talks", "a third"),
    ]
"""
PARTS = """
from ganzoo import Schedule
class Falls(Schedule):
    def __call__(self, progress):
        return 1.0 - progress
class Rises(Schedule):
    def __call__(self, progress):
        return progress - 0.5
class Talks(Falls):
    def __call__(self, progress):
        print("at", progress)
        return super().__call__(progress)
"""


@pytest.fixture(autouse=True)
def fresh_zoo() -> Iterator[None]:
    zoo.cache_clear()
    yield
    zoo.cache_clear()


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with a schedule that keeps the contracts, and one that does not."""
    for name, source in {"checked": PLUGIN, "checked_parts": PARTS, "checked_broken": "1 / 0"}.items():
        (tmp_path / f"{name}.py").write_text(source)
    for name in ("checked", "checked_broken"):
        info = tmp_path / f"{name}_dist-0.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 0.9\nRequires-Dist: ganzoo>=0.1\n"
        )
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_plugin_that_keeps_all_ends_with_0_and_the_count(capsys: Captured, stranger: None) -> None:
    assert exit_status(["check", "checked", "-k", "falls"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("schedule falls ........\n")
    assert re.search(r"^8 kept, 19 left out in \d+\.\d s$", captured.out, re.MULTILINE)
    assert captured.err == ""


def test_one_that_does_not_ends_with_1_and_says_what_to_mend(capsys: Captured, stranger: None) -> None:
    assert exit_status(["check", "checked-dist", "-k", "schedule"]) == 1
    out = capsys.readouterr().out
    assert "schedule falls ........\nschedule rises ......F.\n" in out
    assert "FAILED schedule rises: is a course of factors\n  at progress 0 the factor is -0.5." in out
    assert "The contract: At every progress from 0 to 1 it gives a finite factor" in out
    assert re.search(r"^23 kept, 1 failed, 3 left out in", out, re.MULTILINE)


def test_fail_fast_stops_at_the_first(capsys: Captured, stranger: None) -> None:
    assert exit_status(["check", "checked", "-k", "rises", "-x"]) == 1
    out = capsys.readouterr().out
    assert "schedule rises ......F\n" in out
    assert "6 kept, 1 failed" in out


def test_verbose_gives_every_check_a_line_and_every_skip_its_reason(capsys: Captured) -> None:
    assert exit_status(["check", "ganzoo", "-k", "dataset mnist", "-v"]) == 0
    out = capsys.readouterr().out
    assert "dataset mnist: is described before it is loaded KEPT\n" in out
    assert "dataset mnist: is the same every time NOT CHECKED\n" in out
    assert "Not checked:\n  dataset mnist: holds what its info says and 2 more: its files are not here" in out


def test_json_is_one_object_and_nothing_else(capsys: Captured, stranger: None) -> None:
    assert exit_status(["check", "checked", "-k", "factors", "--json"]) == 1
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert told["counts"] == {"kept": 2, "failed": 1, "not checked": 0}
    kept, failed, _ = told["checks"]
    assert kept == {
        "name": "schedule falls: is a course of factors",
        "subject": "schedule falls",
        "asks": "is a course of factors",
        "contract": "At every progress from 0 to 1 it gives a finite factor on the learning rate, never below 0 and "
        "not always 0.",
        "outcome": "kept",
        "message": "",
    }
    assert failed["outcome"] == "failed"
    assert failed["message"].startswith("at progress 0 the factor is -0.5.")
    assert "at 0.05" in captured.err  # what a plugin prints is not lost, and not in the way


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "cheked"], 'there is no plugin "cheked"'),
        (["check", "checked-broken-dist"], "is broken: ZeroDivisionError"),
        (["check", "checked", "-k", "nothing so named"], 'has "nothing so named" in its name'),
    ],
)
def test_bad_input_is_one_message_and_status_2(
    capsys: Captured, stranger: None, arguments: list[str], said: str
) -> None:
    assert exit_status(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err
    if arguments[1] == "cheked":
        assert "Did you mean checked" in captured.err
