"""Text from outside, in every field and through every command: a terminal and a page show it, and never obey it."""

from __future__ import annotations

import importlib
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.plugins import zoo

CONTROLS = "\x1b[8m\x1b[2J\x1b]0;owned\x07\x08\r\x7f\x9b31m\u202e\u2066\u2028\x00"
SURROGATE = "\ud800"
BYTES = "\udcff"
MARKUP = "<script>alert(1)</script><!-- `x` --> | **b** [a](javascript:b) &lt; ``` </details>"
EVIL = f"evil{CONTROLS}{MARKUP}"

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")
OURS = re.compile(r"\x1b\[(?:(?!8m)[\d;]*m|\?25[lh]|2K|1A)|\r(?=\x1b\[2K|\x1b\[1A|\Z|\n)")
"""Colours, and the movements of a spinner or progress bar."""

SMALL = """
description = "small"
[generator]
latent_dim = 2
hidden = [8]
[discriminator]
hidden = [8]
[train]
log_every = 2
sample_every = 2
samples = 9
"""


class Terminal(io.StringIO):
    """A screen, as far as a program can tell."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=["pipe", "terminal"])
def printed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs a command line, and gives its status and everything that it printed, without our own colours."""

    def run(*arguments: str) -> tuple[int, str]:
        out = Terminal() if request.param == "terminal" else io.StringIO()
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "300")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", out)
            status = exit_status([*arguments])
        said = out.getvalue()
        assert "\x1b[8m" not in said
        said = OURS.sub("", said)
        assert not (obeyed := OBEYED.findall(said)), (arguments, obeyed, said)
        return status, said

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Callable[[Path, str], Path]) -> Path:
    """A run with scores, and another of the same recipe."""
    folder = tmp_path_factory.mktemp("hostile")
    recipe = small_recipe(folder / "small.toml", SMALL)
    for seed in range(2):
        made = ganzoo.train(recipe, out=folder / f"seed-{seed}", device="cpu", quiet=True, seed=seed)
        ganzoo.evaluate(made, metrics=["gaussian-modes"], n=200, draws=2, device="cpu")
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """The same as a test's own."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all strings of a JSON value, but for names of what has to be there."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(one, (*path, key))


def with_text(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """The value with another string at a path."""
    if not path:
        return text
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_text(value[path[0]], path[1:], text)
    return copied


def commands(runs: Path) -> dict[str, list[str]]:
    """Everything that looks at a run and trains nothing."""
    run, other = str(runs / "seed-0"), str(runs / "seed-1")
    return {
        "compare": ["compare", run, other],
        "compare --json": ["compare", run, other, "--json"],
        "card": ["card", run],
        "doctor": ["doctor", run, "--no-samples"],
        "doctor --json": ["doctor", run, "--no-samples", "--json"],
        "sample": ["sample", run, "-n", "4", "-o", str(runs / "grid.png")],
    }


class Scripts(HTMLParser):
    """What a browser would run, or take for an element."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"
        self.found += [f"{name}={value}" for name, value in attrs if value and "javascript:" in value]

    def handle_data(self, data: str) -> None:
        if self.inside and "alert(1)" in data:
            self.found.append(data)
        self.inside = False


def assert_shown_as_text(page: Path) -> None:
    scripts = Scripts()
    scripts.feed(page.read_text(encoding="utf-8"))
    assert not scripts.found


def assert_no_html(card: str) -> None:
    """Outside of code, a card has no HTML but its own, and its tables have as many cells as they should."""
    outside = re.sub(r"(?ms)^(```+)toml$.*?^\1$", "", card)
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\.", "", outside))
    assert set(re.findall(r"<[^>\s]+", outside)) <= {
        "<details",
        "<summary",
        "</summary",
        "</details",
        "<details><summary",
    }, card


@pytest.mark.parametrize("name", [name for name in commands(Path()) if name != "sample"])
def test_every_text_of_a_run_is_shown_and_not_obeyed(
    name: str, runs: Path, printed: Callable[..., tuple[int, str]]
) -> None:
    file = runs / "seed-0" / "run.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    arguments = commands(runs)[name]
    seen = 0
    for path in texts(facts):
        original = with_text(facts, path, EVIL + SURROGATE)
        file.write_text(json.dumps(original), encoding="utf-8")
        _, said = printed(*arguments)
        seen += "evil" in said
        if "--json" in arguments and said.lstrip().startswith("{"):
            json.loads(said)
        if name == "card" and not said.startswith("error"):
            assert_no_html(said)
    assert seen


def test_pages_show_every_text_of_a_run_and_run_none(runs: Path, printed: Callable[..., tuple[int, str]]) -> None:
    file = runs / "seed-0" / "run.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    shown = [("recipe",), ("description",), ("reason",), ("device", "name"), ("dataset", "notes", 0)]
    shown += [("dataset", name) for name in ("name", "origin", "plural", "checksum", "licence")]
    facts["dataset"]["notes"] = ["a note"]
    facts["versions"][EVIL] = EVIL
    facts["plugins"][EVIL] = EVIL
    present = set(texts(facts))
    for path in shown:
        facts = with_text(facts, path, EVIL) if path in present else facts
    file.write_text(json.dumps(facts), encoding="utf-8")
    run, other = str(runs / "seed-0"), str(runs / "seed-1")
    for command in (["report", run], ["compare", run, other]):
        status, said = printed(*command, "-o", str(runs / "page.html"))
        assert status == 0, said
        text = (runs / "page.html").read_text(encoding="utf-8")
        assert "&lt;script&gt;alert(1)" in text
        assert_shown_as_text(runs / "page.html")


def test_json_gives_the_original_text_back(runs: Path, printed: Callable[..., tuple[int, str]]) -> None:
    shutil.move(runs / "seed-0", runs / f"a{CONTROLS.replace(chr(0), '')}b")
    status, said = printed("compare", str(runs / f"a{CONTROLS.replace(chr(0), '')}b"), str(runs / "seed-1"), "--json")
    assert status == 0
    assert f"a{CONTROLS.replace(chr(0), '')}b" in json.dumps(json.loads(said), ensure_ascii=False).encode().decode(
        "unicode_escape", "ignore"
    ) or any(CONTROLS.replace(chr(0), "") in text for text in map(str, walk(json.loads(said))))


def walk(value: Any) -> Iterator[Any]:
    """All leaves and keys."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from walk(one)
    elif isinstance(value, list):
        for one in value:
            yield from walk(one)
    else:
        yield value


def test_names_of_rows_and_scores_are_shown_and_not_obeyed(runs: Path, printed: Callable[..., tuple[int, str]]) -> None:
    rows = runs / "seed-0" / "metrics.jsonl"
    rows.write_text(
        "".join(json.dumps({**json.loads(line), f"loss/{EVIL}": 1.0}) + "\n" for line in rows.read_text().splitlines())
    )
    for arguments in commands(runs).values():
        printed(*arguments)
    for file in (runs / "seed-0" / "evaluations").glob("*.json"):
        score = json.loads(file.read_text())
        for path in texts(score):
            file.write_text(json.dumps(with_text(score, path, EVIL)))
            for name in ("compare", "card"):
                _, said = printed(*commands(runs)[name])
                if name == "card" and not said.startswith("error"):
                    assert_no_html(said)


@pytest.mark.parametrize(
    "text",
    [
        'description = "{}"',
        '[generator]\nname = "{}"',
        '[generator]\n"{}" = 1',
        '"{}" = 1',
        '[dataset]\nname = "image-folder"\npath = "{}"',
        'extends = "{}"',
        '[train]\nstop = "{}"',
    ],
)
def test_what_a_recipe_says_is_shown_and_not_obeyed(
    text: str, tmp_path: Path, small_recipe: Callable[[Path, str], Path], printed: Callable[..., tuple[int, str]]
) -> None:
    escaped = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in EVIL.replace('"', "'"))
    recipe = tmp_path / "recipe.toml"
    if text.startswith("extends"):
        recipe.write_text(text.replace("{}", escaped.replace(r"\u0000", "")))
    else:
        small_recipe(recipe, text.replace("{}", escaped))
    for arguments in (["show", str(recipe)], ["run", str(recipe), "--out", str(tmp_path / "run"), "--steps", "1"]):
        _, said = printed(*arguments)
        assert "evil" in said or text.startswith("description")


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["list", "{}"],
        ["list", "--{}"],
        ["show", "{}"],
        ["show", "vanilla_mnist", "--set", "{}"],
        ["show", "vanilla_mnist", "--set", "generator.{}=1"],
        ["run", "{}"],
        ["run", "{}.toml"],
        ["run", "vanilla_mnist", "--unset", "{}"],
        ["run", "vanilla_mnist", "--steps", "{}"],
        ["run", "wgan_gp_gaussians", "--device", "{}"],
        ["resume", "{}"],
        ["sample", "{}", "-o", "{}.png"],
        ["evaluate", "{}"],
        ["evaluate", "{}", "--metric", "{}"],
        ["compare", "{}", "{}"],
        ["report", "{}"],
        ["card", "{}"],
        ["card", "{}", "--name", "{}"],
        ["doctor", "{}"],
        ["benchmark", "{}"],
        ["benchmark", "{}.toml"],
        ["new", "{}"],
        ["new", "thing", "--author", "{}"],
        ["check", "{}"],
    ],
    ids=" ".join,
)
def test_what_is_written_on_the_command_line_is_shown_and_not_obeyed(
    arguments: list[str], printed: Callable[..., tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"evil{CONTROLS.replace(chr(0), '')}{BYTES}"
    status, said = printed(*(word.replace("{}", text) for word in arguments))
    assert status == 2, said
    assert "evil" in said


HOSTILE_PLUGIN = """
from ganzoo import Component, hookimpl
import click
EVIL = {evil!r}

class Loss:
    def __init__(self, *, choice: str = EVIL, number: int = 3):
        raise ValueError(EVIL)
Loss.__doc__ = EVIL

@click.command(help=EVIL)
@click.option("--choice", default=EVIL, show_default=True, help=EVIL)
def command(choice):
    raise RuntimeError(EVIL)

@hookimpl
def ganzoo_components():
    return [
        Component("loss", "hostile", "hostile_plugin:Loss", "evil", "evil"),
        Component("loss", "absent", "hostile_plugin:absent"),
        Component("command", "hostilecommand", "hostile_plugin:command", "evil"),
    ]
"""
METADATA = f"""Metadata-Version: 2.4
Name: hostile-plugin
Version: 1.0
Summary: evil{CONTROLS}
Author: evil{CONTROLS}
License: evil{CONTROLS}
Home-page: evil{CONTROLS}
"""


@pytest.fixture
def hostile_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A plugin whose every text is hostile, and one that fails to import with such a text."""
    for name, source in (
        ("hostile_plugin", HOSTILE_PLUGIN.format(evil=EVIL)),
        ("hostile_broken", f"raise OSError({EVIL!r})"),
    ):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.replace("hostile-plugin", name), encoding="utf-8", newline="\n")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    zoo.cache_clear()
    yield
    zoo.cache_clear()
    for name in ("hostile_plugin", "hostile_broken"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("hostile_plugins")
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["list", "--json"],
        ["list", "plugins"],
        ["list", "plugins", "--json"],
        ["show", "hostile"],
        ["show", "hostile", "--json"],
        ["show", "absent"],
        ["show", "hostile_plugin"],
        ["show", "hostile_broken"],
        ["show", "hostilecommand"],
        ["hostilecommand", "--help"],
        ["hostilecommand"],
        ["doctor"],
        ["doctor", "--json"],
        ["run", "wgan_gp_gaussians", "--set", "loss.name=hostile", "--steps", "1"],
    ],
    ids=" ".join,
)
def test_what_a_plugin_says_of_itself_is_shown_and_not_obeyed(
    arguments: list[str], printed: Callable[..., tuple[int, str]]
) -> None:
    _, said = printed(*arguments)
    assert "hostile" in said
    if "--json" in arguments:
        everything = list(walk(json.loads(said)))
        assert any("evil" in str(one) for one in everything)
