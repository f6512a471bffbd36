"""What the pages say is so: links lead somewhere, recipes can be read, commands exist, tables hold real defaults."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import textwrap
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click
import pytest
import torch

import ganzoo as ganzoo_package
from ganzoo.cli import ganzoo
from ganzoo.cli.group import BUILTIN_COMMANDS
from ganzoo.core.loop import play_round
from ganzoo.core.two_player import TwoPlayer
from ganzoo.evaluation.suites.reading import read_suite
from ganzoo.plugins import builtin
from ganzoo.recipe import read_recipe
from ganzoo.recipe.messages import format_value
from ganzoo.recipe.model import Ema, Evaluate, Stop, Train

TOP = Path(__file__).parent.parent.parent
PAGES = sorted(
    page
    for folder, pattern in ((TOP, "*.md"), (TOP / "docs", "**/*.md"), (TOP / "benchmarks", "*.md"))
    for page in folder.glob(pattern)
) + sorted(TOP.glob("plugins/*/README.md"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return str(page.relative_to(TOP))


def read_blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, without their indentation."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(content) for _, written, content in found if written == language]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_waits_to_be_filled_in(page: Path) -> None:
    assert re.findall(r"@[A-Z]+@|\bTODO\b|\bTBD\b|\bXXX\b", page.read_text(encoding="utf-8")) == []


TOML = [(page, text) for page in PAGES if page.name != "plugins.md" for text in read_blocks(page, "toml")]
"""Those of plugins.md use the plugin that it makes: test_plugins_page.py runs them."""


@pytest.mark.parametrize(("page", "text"), TOML, ids=[f"{named(p)}-{n}" for n, (p, _) in enumerate(TOML)])
def test_every_recipe_on_a_page_can_be_read(page: Path, text: str, tmp_path: Path) -> None:
    """A part of a recipe is read on top of the vanilla one, as a reader would try it."""
    suite = "[[entry]]" in text
    whole = suite or "[train" in text or text.startswith("extends") or "[project" in text
    if "[project" in text or "[build-system" in text:
        pytest.skip("a part of a pyproject.toml")
    recipe = tmp_path / "page.toml"
    recipe.write_text(text if whole else f'extends = "vanilla_mnist"\n{text}', encoding="utf-8")
    read_suite(recipe) if suite else read_recipe(recipe)


def commands_on(page: Path) -> list[str]:
    """Every line of a block without a language that begins with `ganzoo`, comments left out."""
    lines = [line for text in read_blocks(page, "") for line in text.splitlines()]
    return [line for line in lines if line.startswith("ganzoo ")]


@pytest.mark.parametrize("page", [page for page in PAGES if commands_on(page)], ids=named)
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    for line in commands_on(page):
        name, *arguments = shlex.split(line, comments=True)[1:]
        if name.startswith("-"):
            continue
        assert name in BUILTIN_COMMANDS, line
        command = ganzoo.get_command(click.Context(ganzoo), name)
        assert isinstance(command, click.Command)
        command.make_parser(click.Context(command)).parse_args(list(arguments))  # raises where an option is unknown


def rows(page: Path, heading: str) -> dict[str, str]:
    """The keys and defaults of the table under a heading."""
    section = page.read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0].partition("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| *(.*?) *\|", section, re.MULTILINE))


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("### [train]:", Train), ("### [train.stop]", Stop), ("### [ema]", Ema), ("### [evaluate]", Evaluate)],
)
def test_the_tables_of_the_engines_own_options_are_complete_and_right(heading: str, kind: Any) -> None:
    def default(of: Any) -> str:
        return "" if of.default in (None, MISSING, ()) else f"`{format_value(of.default)}`"

    expected = {one.name: default(one) for one in fields(kind) if one.name not in ("stop", "scores")}
    assert rows(TOP / "docs" / "recipes.md", heading) == expected


@pytest.mark.parametrize(
    ("page", "shelf"),
    [
        ("datasets.md", "dataset"),
        ("theory.md", "loss"),
        ("theory.md", "regularizer"),
        ("theory.md", "optimizer"),
        ("theory.md", "schedule"),
        ("metrics.md", "metric"),
        ("metrics.md", "extractor"),
    ],
)
def test_everything_on_the_engines_shelves_has_its_place_on_a_page(page: str, shelf: str) -> None:
    text = (TOP / "docs" / page).read_text(encoding="utf-8")
    assert [name for name, *_ in builtin.COMPONENTS_BY_SHELF[shelf] if f"`{name}`" not in text] == []


def test_the_metric_and_the_extractor_that_a_page_shows_work() -> None:
    (text,) = [text for text in read_blocks(TOP / "docs" / "metrics.md", "python") if "Extractor" in text]
    names: dict[str, Any] = {}
    exec(text, names)  # it is our own page
    images = torch.arange(2 * 28 * 28, dtype=torch.uint8).view(2, 1, 28, 28)
    given = ganzoo_package.Samples.without_features(images)
    assert names["Brightness"]()(given, given, seed=0) == {"brightness": images.double().mean().item()}
    fields = {"real": ganzoo_package.Field((1, 28, 28), "uint8")}
    assert names["Thumbnails"]().unsupported_reason(ganzoo_package.DatasetInfo(fields=fields, size=2)) == ""
    features = names["Thumbnails"]()(images).features
    assert features.shape == (2, 16)
    assert features[0, 0] == images[0, 0, :7, :7].float().mean()


def body(function: Any) -> str:
    """A function's source without its signature and docstring, as `ast` writes it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    statements = [
        node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    return ast.unparse(statements[0] if len(statements) == 1 else ast.Module(statements, []))


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md", "docs/guide.zh-CN.md"])
def test_the_game_that_a_page_shows_is_the_engines(page: str) -> None:
    (shown_play,) = [text for text in read_blocks(TOP / page, "python") if text.startswith("def play")]
    (tree,) = ast.parse(shown_play).body
    assert isinstance(tree, ast.FunctionDef)
    assert ast.unparse(ast.Module(tree.body, [])) == body(TwoPlayer.play)


@pytest.mark.parametrize("page", ["docs/guide.md", "docs/guide.zh-CN.md"])
def test_the_loop_that_a_page_shows_is_the_engines(page: str) -> None:
    (shown_loop,) = [text for text in read_blocks(TOP / page, "python") if text.startswith("for move")]
    assert ast.unparse(ast.parse(shown_loop)) == body(play_round)


@pytest.mark.parametrize(
    ("english", "chinese"), [("README.md", "README.zh-CN.md"), ("docs/guide.md", "docs/guide.zh-CN.md")]
)
def test_the_chinese_pages_have_the_same_commands(english: str, chinese: str) -> None:
    def told(page: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", line) for line in commands_on(TOP / page)]

    assert told(english)
    assert told(chinese) == told(english)
