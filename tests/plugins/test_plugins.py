"""The door: who comes in, who does not and why, and whom a broken plugin harms (nobody)."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import textwrap
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganzoo import plugins
from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins import Credit, PluginRow, Zoo, zoo
from ganzoo.plugins.builtin import shipped_recipes
from ganzoo.plugins.components import SHELVES, Component
from ganzoo.plugins.hookspecs import hookimpl

Install = Callable[..., Path]

HEAD = "from ganzoo import Component, hookimpl\n"


def registers(*components: str) -> str:
    """The source of a plugin with these components."""
    listed = ", ".join(f"Component({component})" for component in components)
    return f"{HEAD}@hookimpl\ndef ganzoo_components():\n    return [{listed}]\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Writes a distribution with one entry point into a folder on sys.path, as an installer would lay it out."""
    before = set(sys.modules)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def write(name: str, source: str, *, distribution: str = "", version: str = "1.2", module: str = "") -> Path:
        module = module or f"third_{name.replace('-', '_')}"
        distribution = distribution or f"Third-{name}"
        if source:
            (site / f"{module}.py").write_text(textwrap.dedent(source))
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\nSummary: a test's\n"
        )
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {module}\n")
        importlib.invalidate_caches()
        return site

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("third_"):
            del sys.modules[name]


def row_of(made: Zoo, name: str) -> PluginRow:
    [row] = [row for row in made.plugins() if row.name == name]
    return row


def test_the_engine_and_the_reference_plugin_come_through_the_same_door() -> None:
    made = Zoo()
    rows = {row.name: row for row in made.plugins()}
    assert rows["ganzoo"].status == rows["ganzoo_vanilla"].status == "ok"
    assert (made.find("generator", "mlp").plugin, made.find("generator", "mlp").distribution) == (
        "ganzoo_vanilla",
        "ganzoo-vanilla",
    )
    assert made.find("loss", "hinge").distribution == "ganzoo"


def test_a_plugins_component_is_found_with_its_provenance(install: Install) -> None:
    install("dumps", registers('"loss", "dumps", "json:dumps", summary="text", paper="arXiv:1"'), version="3.4.5")
    made = Zoo()
    entry = made.find("loss", "dumps")
    assert (entry.plugin, entry.distribution, entry.version) == ("dumps", "Third-dumps", "3.4.5")
    assert entry.component == Component("loss", "dumps", "json:dumps", "text", "arXiv:1")
    assert made.load("loss", "dumps")([1]) == "[1]"
    assert row_of(made, "dumps") == PluginRow(
        "dumps", "Third-dumps", "3.4.5", "ok", credit=Credit(summary="a test's"), papers=("arXiv:1",)
    )


BROKEN = {
    "missing_import": ("import third_nowhere", r"ModuleNotFoundError: No module named 'third_nowhere' \(.*, line 1\)"),
    "raises_at_import": ("\n\n1 / 0", r"ZeroDivisionError: division by zero \(third_it\.py, line 3\)"),
    "exits_at_import": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def", "SyntaxError: .*third_it.py, line 1"),
    "raises_in_hook": (
        HEAD + "@hookimpl\ndef ganzoo_components():\n    raise LookupError('lost\\nhere')",
        r"LookupError: lost here \(third_it\.py, line 4, in ganzoo_components\)",
    ),
    "raises_half_way": (
        HEAD + "@hookimpl\ndef ganzoo_components():\n    yield Component('loss', 'it', 'json:dumps')\n    1 / 0",
        "ZeroDivisionError",
    ),
    "no_list": (HEAD + "@hookimpl\ndef ganzoo_components():\n    return 7", "returned 7, which is not a list"),
    "one_record": (
        HEAD + "@hookimpl\ndef ganzoo_components():\n    return Component('loss', 'it', 'json:dumps')",
        "not a list of ganzoo.Component",
    ),
    "no_records": (
        HEAD + "@hookimpl\ndef ganzoo_components():\n    return [('loss', 'it', 'json:dumps')]",
        "not a ganzoo.Component",
    ),
    "bad_field": (
        registers("'loss', 'it', 'json:dumps', summary=None"),
        "TypeError: a component's summary is a string",
    ),
    "bad_name": (registers("'loss', 'a:b', 'json:dumps'"), "ValueError: a component's name has letters"),
    "bad_target": (registers("'loss', 'it', 'json.dumps'"), 'ValueError: the target of "it" is not'),
    "twice": (registers("'loss', 'it', 'json:dumps'", "'loss', 'it', 'json:loads'"), 'registers the loss "it" twice'),
    "no_marker": ("def ganzoo_components():\n    return []", "is the marker @ganzoo.hookimpl missing"),
    "new_hook": (HEAD + "@hookimpl\ndef ganzoo_dreams(run): ...", "needs a newer ganzoo: .* the hook ganzoo_dreams"),
    "new_argument": (HEAD + "@hookimpl\ndef ganzoo_metrics(run, mood): ...", "needs a newer ganzoo.*mood"),
    "new_shelf": (registers("'dream', 'it', 'json:dumps'"), 'needs a newer ganzoo: there is no shelf "dream"'),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_a_row_with_its_cause_and_harms_nobody(install: Install, kind: str) -> None:
    source, cause = BROKEN[kind]
    healthy = Zoo()
    install("it", source)
    made = Zoo()
    row = row_of(made, "it")
    assert (row.distribution, row.version, row.status) == ("Third-it", "1.2", "broken")
    assert re.search(cause, row.cause), row.cause
    assert "\n" not in row.cause
    for shelf in SHELVES:  # nothing of it came in, and nothing else is gone
        assert made.entries(shelf) == healthy.entries(shelf)
    made.events_manager()
    with pytest.raises(PluginError) as caught:
        made.find("loss", "it")
    assert row.cause in str(caught.value)
    with pytest.raises(PluginError, match=r"the plugin it \(Third-it 1\.2\) is broken"):
        Zoo(strict=True)


def test_an_entry_point_to_nothing_is_broken(install: Install) -> None:
    site = install("it", "plugin = None")
    (site / "Third_it-1.2.dist-info" / "entry_points.txt").write_text("[ganzoo]\nit = third_it:plugin\n")
    assert "is None" in row_of(Zoo(), "it").cause


def test_one_module_under_two_plugin_names_is_broken_the_second_time(install: Install) -> None:
    install("a", registers("'loss', 'one', 'json:dumps'"), module="third_shared")
    install("b", "", module="third_shared")
    made = Zoo()
    assert (row_of(made, "a").status, row_of(made, "b").status) == ("ok", "broken")
    assert made.find("loss", "one").plugin == "a"


def test_a_plugin_may_be_a_class_instance_and_hooks_may_be_optional(install: Install) -> None:
    source = """
        from ganzoo import Component, hookimpl
        class Plugin:
            @hookimpl
            def ganzoo_components(self):
                return (Component("loss", name, "json:dumps") for name in ("x", "y"))
            @hookimpl(optionalhook=True)
            def ganzoo_not_yet(self, run): ...
        plugin = Plugin()
    """
    site = install("it", source)
    (site / "Third_it-1.2.dist-info" / "entry_points.txt").write_text("[ganzoo]\nit = third_it:plugin\n")
    made = Zoo()
    assert row_of(made, "it").status == "ok"
    assert made.find("loss", "y").plugin == "it"
    made.events_manager()


def test_what_a_plugin_prints_at_import_stays_out_of_standard_output(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install("it", "print('hello')\n" + registers())
    Zoo()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "hello" in captured.err


class TestDisputes:
    def test_two_distributions_with_one_plugin_name_are_both_named_and_neither_comes_in(self, install: Install) -> None:
        install("it", registers("'loss', 'first', 'json:dumps'"), distribution="One", module="third_one")
        install("IT", registers("'loss', 'second', 'json:dumps'"), distribution="Two", module="third_two")
        made = Zoo()
        rows = [row for row in made.plugins() if row.name.lower() == "it"]
        assert {row.distribution for row in rows} == {"One", "Two"}
        assert all(row.status == "broken" and "One 1.2" in row.cause and "Two 1.2" in row.cause for row in rows)
        assert not {"third_one", "third_two"} & set(sys.modules)
        with pytest.raises(PluginError, match="uninstall one"):
            Zoo(strict=True)

    def test_blocking_one_of_them_lets_the_other_in(self, install: Install) -> None:
        install("it", registers("'loss', 'first', 'json:dumps'"), distribution="One", module="third_one")
        install("it", registers("'loss', 'second', 'json:dumps'"), distribution="Two", module="third_two")
        made = Zoo(disabled=["one"], strict=True)
        assert made.find("loss", "second").distribution == "Two"
        assert "third_one" not in sys.modules

    def test_the_same_distribution_further_down_the_path_is_no_dispute(
        self, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site = install("it", registers("'loss', 'it', 'json:dumps'"), version="2.0")
        older = tmp_path / "older" / "Third_it-1.0.dist-info"
        older.mkdir(parents=True)
        for file in (site / "Third_it-2.0.dist-info").iterdir():
            (older / file.name).write_text(file.read_text().replace("2.0", "1.0"))
        monkeypatch.setattr(sys, "path", [*sys.path, str(older.parent)])
        assert row_of(Zoo(strict=True), "it").version == "2.0"

    def test_two_plugins_with_one_name_on_a_shelf_are_listed_and_settled_by_the_plugins_name(
        self, install: Install
    ) -> None:
        install("my-first", registers("'loss', 'it', 'json:dumps'"))
        install("second", registers("'loss', 'it', 'json:loads'", "'loss', 'alone', 'json:loads'"))
        made = Zoo(strict=True)  # a conflict nobody uses is no error
        assert [entry.plugin for entry in made.entries("loss") if entry.name == "it"] == ["my-first", "second"]
        with pytest.raises(PluginError) as caught:
            made.find("loss", "it")
        said = str(caught.value)
        assert "my-first (Third-my-first 1.2)" in said
        assert "second (Third-second 1.2)" in said
        assert 'Say which: "my-first:it" or "second:it"' in said
        for spelled in ("my-first:it", "my_first:it", "My_First:it"):
            assert made.find("loss", spelled).plugin == "my-first"
        assert made.qualified_name(made.find("loss", "second:it")) == "second:it"
        assert made.qualified_name(made.find("loss", "alone")) == "alone"


class TestCredit:
    """What is known of a plugin's people, from metadata as different build backends write them."""

    @pytest.mark.parametrize(
        ("fields", "authors"),
        [
            (["Author: Ada Alpha"], ("Ada Alpha",)),
            (["Author: Ada Alpha, Bo Beta"], ("Ada Alpha", "Bo Beta")),
            (["Author-email: Ada Alpha <a@x.org>, Bo Beta <b@x.org>"], ("Ada Alpha", "Bo Beta")),
            (["Author-email: a@x.org, b@x.org"], ("a@x.org", "b@x.org")),
            (["Author: Ada Alpha", "Author-email: a@x.org"], ("Ada Alpha",)),
            (["Author: Cy Gamma", "Author-email: Ada Alpha <a@x.org>"], ("Cy Gamma", "Ada Alpha")),
            (['Author-email: "Alpha, Ada" <a@x.org>'], ("Alpha, Ada",)),
            (["Author-email: Zoë 張 <z@x.org>"], ("Zoë 張",)),
            (["Author: UNKNOWN", "Author-email: UNKNOWN"], ()),
            ([], ()),
        ],
    )
    def test_authors_are_named(self, install: Install, fields: list[str], authors: tuple[str, ...]) -> None:
        self.add(install("it", registers()), fields)
        assert row_of(Zoo(), "it").credit.authors == authors

    @pytest.mark.parametrize(
        ("fields", "licence"),
        [
            (["License-Expression: MIT", "License: a long story"], "MIT"),
            (["License: BSD"], "BSD"),
            (
                ["License: " + "the whole text " * 20, "Classifier: License :: OSI Approved :: MIT License"],
                "MIT License",
            ),
            (["Classifier: Topic :: Games"], ""),
        ],
    )
    def test_the_licence_is_a_name_and_never_the_whole_text(
        self, install: Install, fields: list[str], licence: str
    ) -> None:
        self.add(install("it", registers()), fields)
        assert row_of(Zoo(), "it").credit.licence == licence

    @pytest.mark.parametrize(
        ("fields", "homepage"),
        [
            (["Project-URL: Source, https://x.org/code", "Project-URL: Home-page, https://x.org"], "https://x.org"),
            (["Project-URL: Issues, https://x.org/i", "Home-page: https://x.org/old"], "https://x.org/old"),
            (["Project-URL: nonsense"], ""),
        ],
    )
    def test_the_homepage_is_the_nearest_thing_to_one(self, install: Install, fields: list[str], homepage: str) -> None:
        self.add(install("it", registers()), fields)
        assert row_of(Zoo(), "it").credit.homepage == homepage

    def add(self, site: Path, fields: list[str]) -> None:
        metadata = site / "Third_it-1.2.dist-info" / "METADATA"
        text = metadata.read_text() + "".join(f"{field}\n" for field in fields)
        metadata.write_text(text, encoding="utf-8")


class TestDamagedMetadata:
    def test_without_a_name_the_plugin_is_broken(self, install: Install) -> None:
        site = install("it", registers())
        (site / "Third_it-1.2.dist-info" / "METADATA").unlink()
        row = row_of(Zoo(), "it")
        assert (row.status, row.distribution) == ("broken", "(unknown)")
        assert "METADATA" in row.cause

    def test_unreadable_entry_points_of_a_plugin_are_reported(self, install: Install) -> None:
        site = install("it", registers(), distribution="ganzoo-it")
        (site / "ganzoo_it-1.2.dist-info" / "entry_points.txt").write_bytes(b"[ganzoo]\nit = \xff\xfe\n")
        row = row_of(Zoo(), "ganzoo-it")
        assert row.status == "broken"
        assert "entry_points.txt" in row.cause

    def test_those_of_other_projects_are_none_of_our_business(self, install: Install) -> None:
        before = [row.name for row in Zoo().plugins()]
        site = install("it", registers(), distribution="elsewhere")
        (site / "elsewhere-1.2.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe")
        assert [row.name for row in Zoo().plugins()] == before


class TestTheEnvironment:
    @pytest.fixture(autouse=True)
    def fresh(self) -> Iterator[None]:
        zoo.cache_clear()
        yield
        zoo.cache_clear()

    def test_disabled_plugins_are_not_even_imported(self, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
        install("my-one", registers("'loss', 'one', 'json:dumps'"))
        install("two", "1 / 0")
        monkeypatch.setenv("GANZOO_DISABLE", "my_one, two,")
        monkeypatch.setenv("GANZOO_STRICT", "1")
        assert (row_of(zoo(), "my-one").status, row_of(zoo(), "two").status) == ("blocked", "blocked")
        assert "third_my_one" not in sys.modules
        with pytest.raises(PluginError, match=r"my-one .* is blocked: named in GANZOO_DISABLE"):
            zoo().find("loss", "one")

    def test_strict_raises_and_not_strict_does_not(self, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
        install("it", "1 / 0")
        monkeypatch.setenv("GANZOO_STRICT", "0")
        assert row_of(zoo(), "it").status == "broken"
        zoo.cache_clear()
        monkeypatch.setenv("GANZOO_STRICT", "1")
        with pytest.raises(PluginError, match="division by zero"):
            zoo()

    def test_the_zoo_is_made_once(self) -> None:
        assert plugins.zoo() is zoo()


class TestFinding:
    def test_the_nearest_name_is_offered(self) -> None:
        with pytest.raises(PluginError, match="Did you mean wasserstein"):
            Zoo().find("loss", "wassertein")

    def test_an_unknown_shelf_names_the_nearest(self) -> None:
        with pytest.raises(PluginError, match="Did you mean generator"):
            Zoo().find("generater", "mlp")

    def test_an_unknown_plugin_is_told_from_an_unknown_name(self) -> None:
        with pytest.raises(PluginError, match=r'no plugin "ganzoo_vanila".*\n.*Did you mean ganzoo_vanilla'):
            Zoo().find("generator", "ganzoo_vanila:mlp")
        with pytest.raises(PluginError, match='no generator "ganzoo_vanilla:mlq"'):
            Zoo().find("generator", "ganzoo_vanilla:mlq")
        with pytest.raises(PluginError, match='no generator "ganzoo:mlp"'):
            Zoo().find("generator", "ganzoo:mlp")

    def test_hyphens_and_underscores_are_one_on_the_shelf_of_recipes_only(self) -> None:
        assert Zoo().find("recipe", "vanilla-mnist") == Zoo().find("recipe", "vanilla_mnist")
        with pytest.raises(PluginError):
            Zoo().find("loss", "non_saturating")

    def test_lists_handed_out_are_the_callers_own(self) -> None:
        made = Zoo()
        made.entries("loss").clear()
        made.plugins().clear()
        assert made.entries("loss")
        assert made.plugins()


class TestTargets:
    @pytest.mark.parametrize(
        ("target", "cause"),
        [
            ("third_nowhere:Thing", "No module named 'third_nowhere'"),
            ("json:nothing", "AttributeError"),
            ("third_exits:Thing", "SystemExit"),
            ("json:__doc__", "no class or function but str"),
        ],
    )
    def test_one_that_cannot_be_used_names_its_plugin(self, install: Install, target: str, cause: str) -> None:
        site = install("it", registers(f"'loss', 'it', '{target}'"))
        (site / "third_exits.py").write_text("raise SystemExit(0)")
        made = Zoo()
        entry = made.find("loss", "it")  # not imported before it is used
        with pytest.raises(PluginError) as caught:
            made.resolve(entry)
        for said in (cause, target, "Third-it 1.2", 'loss "it"'):
            assert said in str(caught.value)

    @pytest.mark.parametrize(
        "entry", [e for shelf in SHELVES for e in Zoo().entries(shelf) if shelf != "recipe"], ids=lambda e: e.name
    )
    def test_of_the_engine_and_its_plugins_all_exist(self, entry: plugins.Entry) -> None:
        assert callable(zoo().resolve(entry))


class TestRecipes:
    def test_every_shipped_recipe_is_on_the_shelf_with_its_description(self, recipes: Path) -> None:
        made = Zoo()
        own = {entry.name: entry for entry in made.entries("recipe") if entry.plugin == "ganzoo"}
        assert {path.stem for path in recipes.glob("*.toml")} == set(own)
        for name, entry in own.items():
            assert made.recipe_path(entry) == (recipes / f"{name}.toml").resolve()
            assert entry.component.summary

    @pytest.mark.parametrize("folder", ["package/recipes", "recipes"], ids=["in a wheel", "in a checkout"])
    def test_they_are_found_inside_the_package_or_beside_it(self, tmp_path: Path, folder: str) -> None:
        (tmp_path / "package").mkdir()
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.toml").write_text('description = "what it does"')
        (tmp_path / folder / "b.toml").write_text("broken = ")
        a, b = shipped_recipes(tmp_path / "package")
        assert (a.name, a.summary) == ("a", "what it does")
        assert b.summary.startswith("cannot be read")

    def test_a_plugins_recipe_is_a_file_in_its_package(self, install: Install) -> None:
        source = registers("'recipe', 'mine', 'third_package:recipes/mine.toml'", "'recipe', 'gone', 'third_package:x'")
        site = install("it", source)
        (site / "third_package" / "recipes").mkdir(parents=True)
        (site / "third_package" / "__init__.py").touch()
        (site / "third_package" / "recipes" / "mine.toml").touch()
        made = Zoo()
        assert made.recipe_path(made.find("recipe", "mine")) == (site / "third_package/recipes/mine.toml").resolve()
        with pytest.raises(PluginError, match=r'recipe "gone" of the plugin it .* not where it should be'):
            made.recipe_path(made.find("recipe", "gone"))

    @pytest.mark.parametrize("target", ["third_nowhere:a.toml", "third_nowhere.below:a.toml", "json.tool:a.toml"])
    def test_one_in_no_package_is_an_error_that_says_so(self, install: Install, target: str) -> None:
        install("it", registers(f"'recipe', 'mine', '{target}'"))
        made = Zoo()
        with pytest.raises(PluginError, match="is not where it should be"):
            made.recipe_path(made.find("recipe", "mine"))


LISTENER = """
from ganzoo import hookimpl
heard = []
@hookimpl
def ganzoo_metrics(step, values):
    heard.append((step, values))
@hookimpl{order}
def ganzoo_run_finished(run):
    heard.append(run)
    {then}
"""


class TestEvents:
    def test_a_listener_hears_what_it_asked_for(self, install: Install) -> None:
        install("ear", LISTENER.format(order="", then=""))
        Zoo().events_manager().hook.ganzoo_metrics(run=None, step=7, values={"d_real": 0.5})
        assert sys.modules["third_ear"].heard == [(7, {"d_real": 0.5})]

    def test_each_run_has_a_manager_of_its_own(self) -> None:
        made = Zoo()
        one, other = made.events_manager(), made.events_manager()
        heard = []
        observer = types.SimpleNamespace(ganzoo_run_started=hookimpl(lambda run: heard.append(run)))
        one.register(observer)
        other.hook.ganzoo_run_started(run="other")
        one.hook.ganzoo_run_started(run="one")
        assert heard == ["one"]

    def test_one_that_raises_is_named_once_and_the_others_still_hear(self, install: Install) -> None:
        install("bad", LISTENER.format(order="(tryfirst=True)", then="1 / 0"))
        install("good", LISTENER.format(order="", then=""))
        events = Zoo().events_manager()
        with pytest.warns(UserWarning, match=r"plugin bad \(Third-bad 1\.2\) failed in ganzoo_run_finished: ZeroDiv"):
            events.hook.ganzoo_run_finished(run=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            events.hook.ganzoo_run_finished(run=2)
        assert sys.modules["third_good"].heard == [1, 2]
        assert sys.modules["third_bad"].heard == [1, 2]

    def test_strictly_it_raises(self, install: Install) -> None:
        install("bad", LISTENER.format(order="", then="1 / 0"))
        with pytest.raises(PluginError, match=r"plugin bad .* failed in ganzoo_run_finished"):
            Zoo(strict=True).events_manager().hook.ganzoo_run_finished(run=1)

    def test_what_a_listener_says_to_the_user_goes_through(self, install: Install) -> None:
        then = "import ganzoo; raise ganzoo.GanzooError('the tracker needs a login')"
        install("ear", LISTENER.format(order="", then=then))
        with pytest.raises(GanzooError, match="needs a login"):
            Zoo().events_manager().hook.ganzoo_run_finished(run=1)

    def test_the_order_that_listeners_ask_for_is_kept(self, install: Install) -> None:
        source = LISTENER.replace("heard.append(run)", "run.append(__name__)")
        for name, order in (("c", "(trylast=True)"), ("b", ""), ("a", "(tryfirst=True)")):
            install(name, source.format(order=order, then=""))
        told: list[str] = []
        Zoo().events_manager().hook.ganzoo_run_finished(run=told)
        assert told == ["third_a", "third_b", "third_c"]

    @pytest.mark.parametrize("kind", ["wrapper=True", "hookwrapper=True"])
    def test_wrappers_still_wrap(self, install: Install, kind: str) -> None:
        install(
            "around",
            f"""
            from ganzoo import hookimpl
            heard = []
            @hookimpl({kind})
            def ganzoo_run_started(run):
                heard.append("before")
                result = yield
                heard.append("after")
                return result
            """,
        )
        install("inside", LISTENER.replace("ganzoo_run_finished", "ganzoo_run_started").format(order="", then=""))
        Zoo().events_manager().hook.ganzoo_run_started(run=1)
        assert sys.modules["third_around"].heard == ["before", "after"]
        assert sys.modules["third_inside"].heard == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "import ganzoo, ganzoo.errors",
        "import ganzoo.cli; ganzoo.cli.exit_status(['--help'])",
        "import ganzoo.cli; ganzoo.cli.exit_status(['list'])",
        "import ganzoo.cli; ganzoo.cli.exit_status(['list', '--json'])",
        "import ganzoo.cli.run, ganzoo.cli.resume, ganzoo.cli.complete",
        "import ganzoo.plugins; ganzoo.plugins.zoo().events_manager()",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement: str) -> None:
    probe = f"import sys; {statement}; print(sorted({{'torch', 'numpy', 'pydantic', 'rich'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
