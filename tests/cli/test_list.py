"""`ganzoo list`: the shelves, for people, for pipes and for programs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganzoo.cli import exit_status
from ganzoo.cli.list import rows_of, show_tables
from ganzoo.plugins import zoo
from ganzoo.plugins.components import SHELVES

Captured = pytest.CaptureFixture[str]

SAME_NAME = """
from ganzoo import Component, hookimpl
@hookimpl
def ganzoo_components():
    return [
        Component("loss", "disputed", "json:dumps", "two\\n lines", "arXiv:1"),
        Component("recipe", "my-{name}", "json:x.toml"),
    ]
"""


@pytest.fixture(autouse=True)
def fresh_zoo() -> Iterator[None]:
    zoo.cache_clear()
    yield
    zoo.cache_clear()


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two plugins that dispute a name, and a broken one."""
    sources = {"listed_a": SAME_NAME.format(name="a"), "listed_b": SAME_NAME.format(name="b"), "listed_broken": "1 / 0"}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
        info = tmp_path / f"{name}_dist-0.9.dist-info"
        info.mkdir()
        authors = "Author-email: Ada Alpha <a@example.org>, Bo Beta <b@example.org>"
        authors += ", Cy Gamma <c@example.org>" * (name == "listed_b")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-dist\nVersion: 0.9\n{authors}\n")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


def test_json_is_one_object_of_every_shelf_in_plural(capsys: Captured) -> None:
    assert exit_status(["list", "--json"]) == 0
    captured = capsys.readouterr()
    listed = json.loads(captured.out)
    assert list(listed) == [*SHELVES.values(), "plugins"]
    assert captured.err == ""
    for shelf in SHELVES.values():
        for row in listed[shelf]:
            assert list(row) == ["name", "plugin", "distribution", "version", "summary", "paper"]
    assert {row["name"] for row in listed["losses"]} >= {
        "minimax",
        "non-saturating",
        "least-squares",
        "hinge",
        "wasserstein",
        "relativistic",
    }
    [recipe] = [row for row in listed["recipes"] if row["name"] == "vanilla_mnist"]
    assert recipe["plugin"] == "ganzoo"
    plugins = {row["name"]: row for row in listed["plugins"]}
    assert plugins.keys() >= {"ganzoo", "ganzoo_vanilla"}
    assert {row["status"] for row in plugins.values()} == {"ok"}
    assert plugins["ganzoo"]["author"] == "The ganzoo developers"
    assert plugins["ganzoo_vanilla"]["paper"] == "arXiv:1406.2661"


@pytest.mark.parametrize("written", ["loss", "losses", "Losses"])
def test_a_shelf_may_be_named_in_singular_and_plural(written: str, capsys: Captured) -> None:
    assert exit_status(["list", written, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["losses"]


@pytest.mark.parametrize("written", ["plugin", "plugins"])
def test_plugins_are_a_shelf_as_well(written: str, capsys: Captured) -> None:
    assert exit_status(["list", written, "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["plugins"]


def test_an_unknown_shelf_ends_with_2_and_names_the_nearest(capsys: Captured) -> None:
    assert exit_status(["list", "genrators"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert 'there is no shelf "genrators".\n  Did you mean generators' in captured.err


def test_in_a_pipe_each_thing_is_a_line_of_fields_between_tabs(capsys: Captured) -> None:
    assert exit_status(["list", "generators"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["generators", "mlp", "fully connected", "arXiv:1406.2661", "ganzoo-vanilla", "0.1.0"] in lines


@pytest.mark.usefixtures("strangers")
def test_a_broken_plugin_is_a_row_with_its_cause(capsys: Captured) -> None:
    assert exit_status(["list", "plugins", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["plugins"]}
    assert rows["listed_broken"]["distribution"] == "listed_broken-dist"
    assert rows["listed_broken"]["status"] == "broken"
    assert "division by zero" in rows["listed_broken"]["cause"]
    assert rows["ganzoo"]["status"] == "ok"


@pytest.mark.usefixtures("strangers")
def test_plugins_are_credited_and_long_lists_are_cut_for_people_only(capsys: Captured) -> None:
    assert exit_status(["list", "plugins"]) == 0
    rows = {line[1]: line for line in (text.split("\t") for text in capsys.readouterr().out.splitlines())}
    assert rows["listed_a"][2:8] == ["Ada Alpha, Bo Beta", "listed_a-dist", "0.9", "arXiv:1", "ok", ""]
    assert rows["listed_b"][2] == "Ada Alpha and 2 more"
    whole = {row["name"]: row for row in rows_of("plugins")}
    assert whole["listed_b"]["author"] == "Ada Alpha, Bo Beta, Cy Gamma"
    assert len(whole["ganzoo"]["paper"].split(", ")) > 5


@pytest.mark.usefixtures("strangers")
def test_other_shelves_mention_it_on_standard_error_only(capsys: Captured) -> None:
    assert exit_status(["list", "losses"]) == 0
    captured = capsys.readouterr()
    assert "listed_broken" not in captured.out
    assert "listed_broken. See `ganzoo list plugins`" in captured.err
    assert exit_status(["list", "losses", "--json"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("strangers")
def test_a_disputed_name_is_shown_to_people_as_a_recipe_has_to_write_it(capsys: Captured) -> None:
    assert exit_status(["list", "losses"]) == 0
    names = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    assert {"listed_a:disputed", "listed_b:disputed", "hinge"} <= set(names)
    assert [row["name"] for row in rows_of("losses")].count("disputed") == 2
    assert {row["summary"] for row in rows_of("losses") if row["name"] == "disputed"} == {"two lines"}


@pytest.mark.usefixtures("strangers")
def test_a_terminal_gets_tables_and_no_empty_ones(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    show_tables({name: rows_of(name, human_readable=True) for name in ("pretrained", "generators", "plugins")})
    said = capsys.readouterr().out
    assert "pretrained" not in said
    for word in ("generators", "mlp", "fully connected", "ganzoo-vanilla", "broken", "division by zero"):
        assert word in said
    show_tables({"augmentations": []})
    assert capsys.readouterr().out == "No augmentations yet: they come with plugins.\n"


def test_brackets_in_a_summary_are_text_and_not_markup(capsys: Captured) -> None:
    row = {"name": "x", "summary": "in [-1, 1] [/red] [bold]", "paper": "", "distribution": "d", "version": "1"}
    show_tables({"losses": [row]})
    assert "in [-1, 1] [/red] [bold]" in capsys.readouterr().out


def test_a_disabled_plugin_is_listed_as_blocked(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_DISABLE", "ganzoo-vanilla")
    assert exit_status(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    [row] = [row for row in listed["plugins"] if row["name"] == "ganzoo_vanilla"]
    assert (row["status"], row["cause"]) == ("blocked", "named in GANZOO_DISABLE")
    assert "mlp" not in {row["name"] for row in listed["generators"]}


@pytest.mark.usefixtures("strangers")
def test_strict_ends_with_2_and_the_cause(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_STRICT", "1")
    assert exit_status(["list"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "listed_broken" in captured.err
    assert "Traceback" not in captured.err
