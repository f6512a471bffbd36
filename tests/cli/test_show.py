"""`ganzoo show`: a thing, a plugin, a recipe, each with whose work it is."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import status_of
from ganzoo.cli.show import print_pretty
from ganzoo.plugins import zoo

Captured = pytest.CaptureFixture[str]

SOURCE = """
from ganzoo import Component, hookimpl

class Tilted:
    \"\"\"A loss that leans to one side.\"\"\"

    def __init__(self, *, lean: float = 0.5) -> None: ...

@hookimpl
def ganzoo_components():
    return [
        Component("loss", "tilted", "shown_plugin:Tilted", "leans to one side", "arXiv:0000.00002"),
        Component("regularizer", "tilted", "shown_plugin:Tilted", "leans as well"),
    ]
"""

METADATA = """Metadata-Version: 2.4
Name: Shown-Gan
Version: 1.4
Summary: Losses that lean
Author-email: Ada Alpha <ada@example.org>
License-Expression: Apache-2.0
Project-URL: Issues, https://example.org/issues
Project-URL: Homepage, https://example.org/shown
"""


@pytest.fixture(autouse=True)
def fresh_zoo() -> Iterator[None]:
    zoo.cache_clear()
    yield
    zoo.cache_clear()


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin with metadata as a modern build backend writes them, and a broken one beside it."""
    for name, source in (("shown_plugin", SOURCE), ("shown_broken", "1 / 0")):
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}-1.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA if name == "shown_plugin" else METADATA.replace("Shown-Gan", name))
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


def shown(name: str, capsys: Captured) -> dict[str, Any]:
    assert status_of(["show", name, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


@pytest.mark.usefixtures("stranger")
@pytest.mark.parametrize("name", ["shown_plugin", "shown-gan", "Shown_Gan"])
def test_a_plugin_goes_by_its_name_and_its_distributions(name: str, capsys: Captured) -> None:
    facts = shown(name, capsys)
    assert facts["components"] == []
    assert facts["plugins"] == [
        {
            "name": "shown_plugin",
            "summary": "Losses that lean",
            "status": "ok",
            "cause": "",
            "distribution": "Shown-Gan",
            "version": "1.4",
            "author": "Ada Alpha",
            "homepage": "https://example.org/shown",
            "licence": "Apache-2.0",
            "components": [
                {"shelf": "loss", "name": "tilted", "summary": "leans to one side", "paper": "arXiv:0000.00002"},
                {"shelf": "regularizer", "name": "tilted", "summary": "leans as well", "paper": ""},
            ],
        }
    ]


@pytest.mark.usefixtures("stranger")
def test_a_thing_credits_author_distribution_version_and_paper(capsys: Captured) -> None:
    facts = shown("tilted", capsys)
    assert [thing["shelf"] for thing in facts["components"]] == ["loss", "regularizer"]
    thing = facts["components"][0]
    assert {name: thing[name] for name in ("author", "distribution", "version", "paper")} == {
        "author": "Ada Alpha",
        "distribution": "Shown-Gan",
        "version": "1.4",
        "paper": "arXiv:0000.00002",
    }
    assert [(option["name"], option["type"], option["default"]) for option in thing["options"]] == [
        ("lean", "float", 0.5)
    ]


@pytest.mark.usefixtures("stranger")
def test_a_broken_plugin_is_shown_with_its_cause(capsys: Captured) -> None:
    [plugin] = shown("shown_broken", capsys)["plugins"]
    assert (plugin["status"], plugin["author"], plugin["components"]) == ("broken", "Ada Alpha", [])
    assert "division by zero" in plugin["cause"]


@pytest.mark.usefixtures("stranger")
def test_people_and_pipes_read_the_same_credits(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    facts = shown("shown-gan", capsys)
    print_pretty(facts)
    pretty = capsys.readouterr().out
    assert status_of(["show", "shown-gan"]) == 0
    plain = capsys.readouterr().out
    for said in ("Shown-Gan", "1.4", "Ada Alpha", "Apache-2.0", "https://example.org/shown", "leans to one side"):
        assert said in pretty
        assert said in plain
    assert status_of(["show", "hinge"]) == 0
    assert "author: The ganzoo developers\ndistribution: ganzoo\n" in capsys.readouterr().out


def test_a_name_of_nothing_names_the_nearest_plugin_too(capsys: Captured) -> None:
    assert status_of(["show", "ganzoo_vanila"]) == 2
    said = capsys.readouterr().err
    assert "no such plugin" in said
    assert "Did you mean ganzoo_vanilla?" in said


def test_a_recipes_values_say_where_they_are_from(capsys: Captured) -> None:
    assert status_of(["show", "vanilla_mnist", "--set", "generator.latent_dim=7", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)["recipe"]["values"]
    assert values["generator.latent_dim"] == {"value": 7, "from": "--set generator.latent_dim=7"}
    assert "vanilla_mnist.toml" in values["generator.hidden"]["from"]
    assert values["game.n_critic"]["value"] == 1


def test_set_is_for_recipes_only(capsys: Captured) -> None:
    assert status_of(["show", "ganzoo_vanilla", "--set", "a=1"]) == 2
    assert "--set is for recipes" in capsys.readouterr().err
