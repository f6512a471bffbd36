"""What is printed is cleaned in one place, and an output that cannot be written ends nothing."""

from __future__ import annotations

import errno
import io
import sys
import traceback
from pathlib import Path

import click
import pytest
from rich.progress import track
from rich.text import Text

from ganzoo.display.console.terminal import Terminal
from ganzoo.display.markdown import Markdown, code, code_block, link_arxiv
from ganzoo.display.printing import printable, printable_output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text,\n\tor two lines", "plain text,\n\tor two lines"),
        ("两个网络 é 🦁", "两个网络 é 🦁"),
        ("a\r\nb", "a\nb"),
        ("\x1b[2J", r"\x1b[2J"),
        ("done\rfailed", r"done\x0dfailed"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eoff", r"\u202eoff"),
        ("caf\udce9", r"caf\xe9"),
        ("\ud800", r"\ud800"),
    ],
)
def test_characters_that_a_terminal_would_obey_are_written_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_way_to_print_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    with printable_output():
        print("1\x1b[2J")
        print("2\x1b[2J", file=sys.stderr)
        sys.stdout.writelines(["3\x1b[2J\n"])
        click.echo("4\x9b2J")
        try:
            raise ValueError("5\x1b[2J")
        except ValueError:
            traceback.print_exc()
        Terminal(plain=True).print(Text("6\x1b[2J"))
    said = screen.getvalue()
    assert all(str(number) in said for number in range(1, 7))
    assert "\x1b" not in said
    assert "\x9b" not in said


def test_our_own_colours_reach_a_terminal_and_those_of_a_text_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    with printable_output():
        Terminal(plain=False).print(Text("red\x1b[32m", style="red"))
        for _ in track(range(2), console=Terminal(plain=False), description="evil\x1b[2J"):
            pass
    assert "\x1b[31mred\\x1b[32m\x1b[0m" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()


class Full(io.StringIO):
    """A file on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_output_that_cannot_be_written_is_remembered_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    with printable_output() as (out, _):
        print("lost")
        Terminal(plain=True).print("lost too")
        assert out.failure is not None
        assert out.failure.errno == errno.ENOSPC


def test_a_closed_output_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with printable_output():
        print("nowhere")
        assert not sys.stdout.isatty()


def test_an_encoding_that_lacks_characters_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with printable_output():
            click.echo("两")
            print("é")
    assert (tmp_path / "out").read_text() == "\\u4e24\n\\xe9\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>bold</b>", r"\<b>bold\</b>"),
        ("a|b`c`*d*[e](f)", r"a\|b\`c\`\*d\*\[e\](f)"),
        ("snake_case _emphasis_", r"snake_case \_emphasis\_"),
        ("two\nlines", "two lines"),
        ("&lt;", r"\&lt;"),
        ("\x1b", r"\\x1b"),
    ],
)
def test_markdown_shows_a_text_as_it_is(text: str, shown: str) -> None:
    assert Markdown.escape(text) == shown
    assert Markdown("**{}**").format(text) == f"**{shown}**"
    assert Markdown.escape(Markdown.escape(text)) == shown


def test_code_ends_where_its_text_ends() -> None:
    assert code("name") == "`name`"
    assert code("a`b``c") == "``` a`b``c ```"
    assert code("a|b") == r"`a\|b`"
    assert code_block("```\nx", "toml") == "````toml\n```\nx\n````"


def test_only_arxiv_ids_become_links() -> None:
    assert link_arxiv("arXiv:1406.2661") == "[arXiv:1406.2661](https://arxiv.org/abs/1406.2661)"
    assert link_arxiv("[x](javascript:y)") == r"\[x\](javascript:y)"
