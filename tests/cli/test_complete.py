"""TAB: what the shell offers, asked for as bash and zsh ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ganzoo.cli import ganzoo
from ganzoo.cli.complete import names, recipes, shelves
from ganzoo.plugins import zoo
from ganzoo.plugins.components import SHELVES

CONTEXT = click.Context(ganzoo)
ARGUMENT = click.Argument(["x"])


def offered(words: str) -> list[str]:
    """What bash would offer for the last of these words, in a process that dies if torch is imported."""
    probe = "import sys; sys.modules['torch'] = None; from ganzoo.cli import main; main()"
    asked = {"_GANZOO_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    command = [sys.executable, "-c", probe]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split(",", 1)[1] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ganzoo resu", ["resume"]),
        ("ganzoo list gen", ["generators"]),
        ("ganzoo list --js", ["--json"]),
        ("ganzoo run vanilla_m", ["vanilla_mnist"]),
        ("ganzoo show hin", ["hinge"]),
        ("ganzoo run no-such-thing", []),
    ],
)
def test_the_shell_is_offered_what_fits(words: str, expected: list[str]) -> None:
    assert offered(words) == expected


def test_every_shelf_is_offered_with_plugins() -> None:
    offers = [item.value for item in shelves(CONTEXT, ARGUMENT, "")]
    assert offers == [*SHELVES.values(), "plugins"]


def test_recipes_are_installed_names_folders_and_toml_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.toml", "notes.txt", ".hidden.toml"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "its.toml").touch()
    offers = {item.value for item in recipes(CONTEXT, ARGUMENT, "")}
    assert {"vanilla_mnist", "mine.toml", "more/"} <= offers
    assert not {"notes.txt", ".hidden.toml"} & offers
    assert [item.value for item in recipes(CONTEXT, ARGUMENT, "more/")] == ["more/its.toml"]
    assert [item.value for item in recipes(CONTEXT, ARGUMENT, f"{tmp_path}/mi")] == [f"{tmp_path}/mine.toml"]
    assert recipes(CONTEXT, ARGUMENT, "nowhere/") == []


def test_a_name_on_two_shelves_is_offered_once_with_both_meanings() -> None:
    [item] = names(CONTEXT, ARGUMENT, "mlp")
    assert item.help is not None
    assert "generator: " in item.help
    assert "discriminator: " in item.help


def test_trouble_with_plugins_stays_out_of_the_users_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tab_broken.py").write_text("1 / 0")
    info = tmp_path / "tab_broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tab-broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ganzoo]\ntab_broken = tab_broken\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GANZOO_STRICT", "1")
    zoo.cache_clear()
    try:
        assert names(CONTEXT, ARGUMENT, "h") == []
    finally:
        zoo.cache_clear()
    assert capsys.readouterr() == ("", "")


def test_a_folder_with_names_that_no_line_can_hold_is_completed_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is not UTF-8 ended in a traceback in the middle of the line."""
    for name in (b"a\xff.toml", b"b\nc.toml", b"d\x1b[31m.toml", b"good.toml"):
        (tmp_path / os.fsdecode(name)).touch()
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    monkeypatch.chdir(tmp_path)
    assert {"good.toml", "pipe.toml"} <= set(offered("ganzoo run "))
    assert offered("ganzoo run goo") == ["good.toml"]
    assert offered("ganzoo run " + "n" * 5_000) == []
