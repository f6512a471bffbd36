"""A hook that would never be called is reported, with the name and the remedy, before anything is written."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import ganzoo
from ganzoo.errors import PluginError
from ganzoo.plugins import Zoo
from ganzoo.plugins.hook_checks import HOOKS, checked_observers


class Unmarked:
    def ganzoo_metrics(self, step: int) -> None: ...


class OneUnmarked:
    @ganzoo.hookimpl
    def ganzoo_run_started(self, run: ganzoo.Run) -> None: ...

    def ganzoo_metrics(self, step: int) -> None: ...


class Misspelt:
    @ganzoo.hookimpl
    def ganzoo_run_started(self, run: ganzoo.Run) -> None: ...

    def ganzoo_metricks(self, step: int) -> None: ...


class MarkedMisspelt:
    @ganzoo.hookimpl
    def ganzoo_run_finnished(self, run: ganzoo.Run) -> None: ...


class OtherName:
    @ganzoo.hookimpl
    def on_row(self, step: int) -> None: ...


class Empty:
    def on_row(self, step: int) -> None: ...


class NoEvent:
    @ganzoo.hookimpl
    def ganzoo_components(self) -> list[ganzoo.Component]:
        return []


class WrongArguments:
    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int, row: dict[str, float], mood: str) -> None: ...


class NoGenerator:
    @ganzoo.hookimpl(wrapper=True)
    def ganzoo_metrics(self, step: int) -> None: ...


class Partial:
    ganzoo_metrics = functools.partial(print, "row")


class Sound:
    name = "ganzoo_sound"

    def __init__(self) -> None:
        self.heard: list[int] = []

    @property
    def useless(self) -> None:
        raise RuntimeError("asked too early")

    def on_row(self) -> None: ...

    @ganzoo.hookimpl(specname="ganzoo_metrics")
    def row(self, step: int, *, loud: bool = False) -> None:
        self.heard.append(step)

    @ganzoo.hookimpl(optionalhook=True)
    def ganzoo_dreams(self, mood: str) -> None: ...


WRONG: list[tuple[Any, str, str]] = [
    (Unmarked(), "observer Unmarked: its method ganzoo_metrics is never called: is the marker @ganzoo.hookimpl mis",
     "with @ganzoo.hookimpl in the line above"),
    (OneUnmarked(), "observer OneUnmarked: its method ganzoo_metrics is never called", "in the line above"),
    (Misspelt(), "observer Misspelt: its method ganzoo_metricks is never called: ganzoo has no such hook",
     "Did you mean ganzoo_metrics?"),
    (MarkedMisspelt(), "observer MarkedMisspelt: ganzoo_run_finnished is marked as the hook ganzoo_run_finnished",
     "Did you mean ganzoo_run_finished?"),
    (OtherName(), "observer OtherName: on_row is marked as the hook on_row, which is none", "ganzoo_checkpoint"),
    (Empty(), "observer Empty is never called: it implements no hook of a run", "Mark a method with @ganzoo.hookimpl"),
    (object(), "observer object is never called", "called as one of these: ganzoo_run_started, ganzoo_metrics,"),
    (NoEvent(), "observer NoEvent is never called: it implements no hook of a run", "Mark a method"),
    (WrongArguments(), "observer WrongArguments: ganzoo_metrics asks for row and mood, which the hook ganzoo_metrics",
     "It gives: run, step, values."),
    (NoGenerator(), "observer NoGenerator cannot be registered", ""),
    (Partial(), "its method ganzoo_metrics is never called: it is a partial, and hooks are functions or methods", ""),
    (Sound, "observer Sound is a class", "Give an object of it: Sound()."),
    (ModuleType("mine"), "observer mine is never called", ""),
    (SimpleNamespace(ganzoo_metrics=lambda step: None), "observer SimpleNamespace: its method ganzoo_metr", ""),
]  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path, small_recipe: Callable[[Path, str], Path]) -> Path:
    return small_recipe(tmp_path / "mine.toml", "[train]\nlog_every = 2\nsample_every = 0\n")


@pytest.mark.parametrize(("observer", "what", "remedy"), WRONG, ids=[str(what)[:60] for _, what, _ in WRONG])
def test_an_observer_that_would_not_be_called_is_an_error_before_anything_is_written(
    observer: object, what: str, remedy: str, recipe: Path, tmp_path: Path
) -> None:
    with pytest.raises(PluginError) as caught:
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True, device="cpu", observers=[Sound(), observer])
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_checks_its_observers_too(recipe: Path, tmp_path: Path) -> None:
    sound = Sound()
    run = ganzoo.train(recipe, out=tmp_path / "run", quiet=True, device="cpu", observers=[sound])
    assert sound.heard == [2, 4]
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    with pytest.raises(PluginError, match="observer Misspelt"):
        ganzoo.resume(run.directory, steps=6, quiet=True, device="cpu", observers=[Misspelt()])
    assert {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()} == before


def test_observers_are_a_list_of_different_objects() -> None:
    sound = Sound()
    with pytest.raises(PluginError, match=r"should be a list of objects; found Sound\.\n  Write observers=\[\.\.\.\]"):
        checked_observers(sound)
    with pytest.raises(PluginError, match="observer Sound is given twice"):
        checked_observers([sound, sound])
    assert checked_observers(one for one in [sound]) == (sound,)


def test_the_hooks_give_what_the_specifications_say() -> None:
    assert HOOKS["ganzoo_samples"] == ("run", "step", "samples", "path")
    assert HOOKS["ganzoo_components"] == ()
    assert len(HOOKS) >= 7


HEAD = "from ganzoo import Component, hookimpl\n\n\n@hookimpl\ndef ganzoo_components():\n    return []\n\n\n"

BROKEN = {
    "def ganzoo_componets():\n    return []": r"its function ganzoo_componets is never called: .*n ganzoo_components\?",
    "def ganzoo_metrics(step): ...": r"its function ganzoo_metrics is never called: is the marker @ganzoo.hookimpl mis",
    "@hookimpl\ndef ganzoo_metricks(step): ...": "the hook ganzoo_metricks, .*; did you mean ganzoo_metrics?",
}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Installs a plugin whose module is this text."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "third_hooks.py").write_text(HEAD + text)
        info = tmp_path / "third_hooks-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-hooks\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[ganzoo]\nthird_hooks = third_hooks\n")
        importlib.invalidate_caches()

    yield write
    sys.modules.pop("third_hooks", None)


@pytest.mark.parametrize("text", BROKEN)
def test_a_plugin_with_a_hook_that_is_never_called_is_broken_and_its_row_says_why(
    text: str, plugin: Callable[[str], None]
) -> None:
    plugin(text)
    [row] = [row for row in Zoo().plugins() if row.name == "third_hooks"]
    assert row.status == "broken"
    assert re.search(BROKEN[text], row.cause), row.cause


@pytest.mark.parametrize("text", ["import ganzoo_vanilla", "ganzoo_note = 'x'", "class ganzoo_x: ..."])
def test_what_is_no_function_may_be_called_as_it_likes(text: str, plugin: Callable[[str], None]) -> None:
    plugin(text)
    [row] = [row for row in Zoo().plugins() if row.name == "third_hooks"]
    assert (row.status, row.cause) == ("ok", "")


def test_a_plugins_observer_that_would_not_be_called_is_reported_and_the_others_hear(
    plugin: Callable[[str], None],
) -> None:
    plugin(
        "class Deaf:\n    def ganzoo_metrics(self, step): ...\n\n\nclass Sound:\n    @hookimpl\n"
        "    def ganzoo_metrics(self, step): ...\n\n\n"
        "@hookimpl\ndef ganzoo_observers():\n    return [Deaf(), Sound()]\n"
    )
    with pytest.warns(UserWarning, match=r"plugin third_hooks .* failed in ganzoo_observers: .* Deaf: its method"):
        given = Zoo().events_manager().hook.ganzoo_observers(note=lambda label, text: None)
    assert [type(one).__name__ for several in given for one in several if "third" in type(one).__module__] == ["Sound"]
