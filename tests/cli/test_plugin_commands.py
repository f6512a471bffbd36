"""Commands of plugins: they stand beside ours, work like ours, and take nothing from ours."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganzoo.cli import exit_status
from ganzoo.cli.group import BUILTIN_COMMANDS
from ganzoo.plugins import zoo

Captured = pytest.CaptureFixture[str]
Install = Callable[..., None]

SURVEY = """
import click
from ganzoo import errors

@click.command()
@click.argument("words", nargs=-1)
@click.option("--limit", metavar="N", type=int, default=3, show_default=True, help="How many words at most.")
@click.option("--style", type=click.Choice(["plain", "loud"]), default="plain", help="How it is said.")
@click.option("--end", help="How it ends.")
def survey(words, limit, style, end):
    '''Count WORDS.'''
    if len(words) > limit:
        raise errors.GanzooError(f"{len(words)} words are too many.", remedy="Give fewer.")
    if end == "failed":
        raise errors.TrainingFailed("it did not work.")
    if end == "fault":
        1 / 0
    if end == "usage":
        raise click.UsageError("give another end.")
    click.echo(f"{len(words)} {style}")
    return 7 if end == "status" else None

@click.group()
def tools():
    '''More than one thing.'''

@tools.command()
def count():
    '''Count.'''
    click.echo("counted")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a plugin with commands (name -> target) and modules (name -> source), for other processes too."""
    before = set(sys.modules)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("COLUMNS", "100")

    def write(plugin: str, commands: dict[str, str], *, shelf: str = "command", **modules: str) -> None:
        listed = ", ".join(
            f"Component({shelf!r}, {name!r}, {target!r}, 'counts\\n words')" for name, target in commands.items()
        )
        (site / f"{plugin}.py").write_text(
            "from ganzoo import Component, hookimpl\n@hookimpl\ndef ganzoo_components():\n"
            f"    return [{listed}, Component('loss', 'loss-of-{plugin}', 'json:dumps')]\n"
        )
        for name, source in modules.items():
            (site / f"{name}.py").write_text(textwrap.dedent(source))
        info = site / f"{plugin}_dist-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {plugin}-dist\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{plugin} = {plugin}\n")
        importlib.invalidate_caches()
        zoo.cache_clear()

    zoo.cache_clear()
    yield write
    zoo.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("third_"):
            del sys.modules[name]


@pytest.fixture
def survey(install: Install) -> None:
    """A plugin with the command `survey` and the group `tools`."""
    install("third_poll", {"survey": "third_survey:survey", "tools": "third_survey:tools"}, third_survey=SURVEY)


def offered(words: str) -> list[str]:
    """What bash would offer for the last of these words, in a process that dies if torch is imported."""
    probe = "import sys; sys.modules['torch'] = None; from ganzoo.cli import main; main()"
    asked = {"_GANZOO_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split(",", 1)[1] for line in done.stdout.splitlines() if line]


@pytest.mark.usefixtures("survey")
class TestBesideOurs:
    @pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "commands", "--json"]], ids=" ".join)
    def test_it_is_listed_without_being_imported(self, arguments: list[str]) -> None:
        probe = (
            f"import sys; from ganzoo.cli import exit_status; status = exit_status({arguments!r}); "
            "print(sorted({'torch', 'third_survey'} & set(sys.modules)), status)"
        )
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        *said, last = done.stdout.splitlines()
        assert last == "[] 0"
        assert "survey" in " ".join(said)

    def test_help_has_it_after_ours_under_the_name_of_its_plugin(self, capsys: Captured) -> None:
        assert exit_status(["--help"]) == 0
        ours, heading, theirs = capsys.readouterr().out.partition(
            "Commands of the plugin third_poll (third_poll-dist 1.2):\n"
        )
        assert heading
        assert re.findall(r"^  (\w+)  ", theirs, re.MULTILINE) == ["survey", "tools"]
        assert "survey  counts words" in theirs
        assert "survey" not in ours
        assert re.findall(r"^  (\w+)  ", ours.partition("Commands:\n")[2], re.MULTILINE) == list(BUILTIN_COMMANDS)

    def test_it_is_on_the_shelf_beside_ours(self, capsys: Captured) -> None:
        assert exit_status(["list", "commands", "--json"]) == 0
        rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["commands"]}
        assert rows["survey"] == {
            "name": "survey",
            "plugin": "third_poll",
            "distribution": "third_poll-dist",
            "version": "1.2",
            "summary": "counts words",
            "paper": "",
        }
        assert {rows[name]["distribution"] for name in BUILTIN_COMMANDS} == {"ganzoo"}

    def test_show_has_its_help_and_whose_it_is(self, capsys: Captured) -> None:
        assert exit_status(["survey", "--help"]) == 0
        page = capsys.readouterr().out
        assert "Usage: ganzoo survey [OPTIONS] [WORDS]..." in page
        assert "-h, --help" in page
        assert exit_status(["show", "survey"]) == 0
        shown = capsys.readouterr().out
        assert page in shown
        assert "distribution: third_poll-dist" in shown

    def test_show_has_its_options_for_programs(self, capsys: Captured) -> None:
        assert exit_status(["show", "survey", "--json"]) == 0
        [thing] = json.loads(capsys.readouterr().out)["components"]
        assert (thing["shelf"], thing["description"], thing["recipes"]) == ("command", "Count WORDS.", [])
        options = {option.pop("name"): option for option in thing["options"]}
        shared = {"required": False, "from_data": False}
        assert options == {
            "WORDS": {"type": "text", "default": None, "help": "", **shared},
            "--limit": {"type": "integer", "default": 3, "help": "How many words at most.", **shared},
            "--style": {"type": '"plain" or "loud"', "default": "plain", "help": "How it is said.", **shared},
            "--end": {"type": "text", "default": None, "help": "How it ends.", **shared},
        }

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("ganzoo surv", ["survey"]),
            ("ganzoo s", ["show", "sample", "survey"]),
            ("ganzoo show surv", ["survey"]),
            ("ganzoo list comm", ["commands"]),
            ("ganzoo survey --li", ["--limit"]),
            ("ganzoo survey --style ", ["plain", "loud"]),
            ("ganzoo tools ", ["count"]),
        ],
    )
    def test_the_shell_completes_it(self, words: str, expected: list[str]) -> None:
        assert offered(words) == expected

    def test_the_nearest_command_may_be_a_plugins(self, capsys: Captured) -> None:
        assert exit_status(["survy"]) == 2
        assert "No such command 'survy'. Did you mean survey?" in capsys.readouterr().err


@pytest.mark.usefixtures("survey")
class TestInUse:
    @pytest.mark.parametrize(
        ("arguments", "status", "out", "err"),
        [
            (["survey", "a", "b", "--style", "loud"], 0, "2 loud\n", ""),
            (["third_poll:survey", "a"], 0, "1 plain\n", ""),
            (["survey", "--end", "status"], 7, "0 plain\n", ""),
            (["tools", "count"], 0, "counted\n", ""),
            (["survey", *"abcd"], 2, "", "error: 4 words are too many.\n  Give fewer.\n"),
            (["survey", "--end", "failed"], 1, "", "error: it did not work.\n"),
            (["survey", "--end", "fault"], 1, "", "error: ZeroDivisionError: division by zero"),
            (["survey", "--end", "usage"], 2, "", "Error: give another end.\n"),
            (["survey", "--limits", "1"], 2, "", "No such option"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_it_ends_as_ours_do(self, arguments: list[str], status: int, out: str, err: str, capsys: Captured) -> None:
        assert exit_status(arguments) == status
        captured = capsys.readouterr()
        assert captured.out == out
        assert err in captured.err
        assert "Traceback" not in captured.err


class TestNamesOfOurs:
    @pytest.fixture(autouse=True)
    def claimant(self, install: Install) -> None:
        install("third_claims", {"run": "third_own:run", "survey": "third_own:survey"}, third_own=SURVEY)

    def test_ours_goes_on_working_and_the_rest_of_the_plugin_comes_in(self, capsys: Captured) -> None:
        assert exit_status(["run", "--help"]) == 0
        assert "Usage: ganzoo run [OPTIONS] RECIPE" in capsys.readouterr().out
        assert exit_status(["survey"]) == 0
        assert [entry.distribution for entry in zoo().entries("command") if entry.name == "run"] == ["ganzoo"]
        assert zoo().find("loss", "loss-of-third_claims")

    def test_the_plugins_row_says_what_is_left_out_and_why(self, capsys: Captured) -> None:
        assert exit_status(["list", "plugins", "--json"]) == 0
        rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["plugins"]}
        row = rows["third_claims"]
        assert (row["distribution"], row["status"]) == ("third_claims-dist", "ok")
        assert row["cause"] == 'its command "run" is left out: ganzoo has a command of that name'
        assert exit_status(["list", "commands"]) == 0
        assert "Left out in part: third_claims. See `ganzoo list plugins`." in capsys.readouterr().err

    def test_asked_for_by_its_full_name_it_is_said_why_it_is_not_there(self, capsys: Captured) -> None:
        assert exit_status(["third_claims:run"]) == 2
        said = capsys.readouterr().err
        assert 'no command "third_claims:run"' in said
        assert 'third_claims (third_claims-dist 1.2) is registered in part: its command "run" is left out' in said

    def test_strictly_it_is_an_error(self, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GANZOO_STRICT", "1")
        zoo.cache_clear()
        assert exit_status(["list"]) == 2
        assert 'third_claims (third_claims-dist 1.2): its command "run" is left out' in capsys.readouterr().err

    def test_another_spelling_of_our_name_is_our_name(self, install: Install) -> None:
        install("third_upper", {"RUN": "third_own:survey"})
        assert "RUN" not in {entry.name for entry in zoo().entries("command")}


class TestTwoPluginsWithOneName:
    @pytest.fixture(autouse=True)
    def claimants(self, install: Install) -> None:
        install("third_a", {"survey": "third_one:survey"}, third_one=SURVEY)
        install("third_b", {"survey": "third_two:survey"}, third_two=SURVEY.replace("{style}", "of b"))

    def test_using_the_bare_name_names_both_and_what_settles_it(self, capsys: Captured) -> None:
        assert exit_status(["survey"]) == 2
        said = capsys.readouterr().err
        assert "third_a (third_a-dist 1.2) and third_b (third_b-dist 1.2)" in said
        assert '"third_a:survey" or "third_b:survey"' in said

    def test_the_plugins_name_settles_it(self, capsys: Captured) -> None:
        assert exit_status(["third_b:survey"]) == 0
        assert capsys.readouterr().out == "0 of b\n"
        assert exit_status(["third_b:survey", "--help"]) == 0
        assert "Usage: ganzoo third_b:survey " in capsys.readouterr().out

    def test_help_and_list_show_what_has_to_be_written_and_are_no_errors(self, capsys: Captured) -> None:
        for arguments in (["--help"], ["list", "commands"], ["show", "survey"]):
            assert exit_status(arguments) == 0
            said = capsys.readouterr().out
            assert "third_a:survey" in said
            assert "third_b:survey" in said
        assert offered("ganzoo survey --li") == []
        assert offered("ganzoo surv") == []
        assert offered("ganzoo third_a") == ["third_a:survey"]


class TestWhatCannotBeUsed:
    @pytest.mark.parametrize(
        ("target", "cause"),
        [
            ("third_bad:survey", "ZeroDivisionError: division by zero (third_bad.py, line 1)"),
            ("third_nowhere:survey", "No module named 'third_nowhere'"),
            ("json:nothing", "AttributeError"),
            ("json:dumps", "names json:dumps, which is no click command but function"),
            ("json:__doc__", "which is no class or function but str"),
        ],
    )
    def test_a_command_that_cannot_be_had_is_one_message_and_harms_no_other(
        self, install: Install, target: str, cause: str, capsys: Captured
    ) -> None:
        install("third_it", {"survey": target, "tools": "third_good:tools"}, third_bad="1 / 0", third_good=SURVEY)
        assert exit_status(["survey", "--limit", "1"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith('error: the command "survey" of the plugin third_it (third_it-dist 1.2) ')
        assert cause in captured.err
        assert "Traceback" not in captured.err
        assert exit_status(["tools", "count"]) == 0
        assert exit_status(["--help"]) == 0
        assert "survey" in capsys.readouterr().out
        assert offered("ganzoo survey --li") == []

    def test_an_unknown_command_may_be_a_broken_plugins(self, install: Install, capsys: Captured) -> None:
        install("third_newer", {"survey": "json:dumps"}, shelf="dream")
        assert exit_status(["survey"]) == 2
        said = capsys.readouterr().err
        assert "No such command 'survey'" in said
        assert "The plugin third_newer (third_newer-dist 1.2) is broken: this plugin needs a newer ganzoo" in said

    @pytest.mark.usefixtures("survey")
    def test_a_blocked_plugins_command_is_gone(self, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
        monkeypatch.setenv("GANZOO_DISABLE", "third_poll")
        assert exit_status(["--help"]) == 0
        assert "survey" not in capsys.readouterr().out
        assert exit_status(["survey"]) == 2
        assert "third_poll (third_poll-dist 1.2) is blocked: named in GANZOO_DISABLE" in capsys.readouterr().err

    def test_ours_work_where_ganzoo_itself_is_blocked(
        self, install: Install, monkeypatch: pytest.MonkeyPatch, capsys: Captured
    ) -> None:
        monkeypatch.setenv("GANZOO_DISABLE", "ganzoo")
        zoo.cache_clear()
        assert exit_status(["list", "plugins", "--json"]) == 0
        rows = {row["name"]: row["status"] for row in json.loads(capsys.readouterr().out)["plugins"]}
        assert rows["ganzoo"] == "blocked"
