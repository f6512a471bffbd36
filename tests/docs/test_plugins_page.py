"""docs/plugins.md, carried out as it stands: its files written, its commands run, in order, by somebody with the wheel.

`pytest -m slow tests/docs/test_plugins_page.py` takes a few minutes.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from markdown_it import MarkdownIt

PAGE = Path(__file__).parent.parent.parent / "docs" / "plugins.md"

THERE_ALREADY = {"python -m venv .venv", ". .venv/bin/activate", "python -m pip install ganzoo build"}
"""What the fixture is in place of."""

OFFLINE = {
    "python -m pip install -e": "python -m pip install --quiet --no-build-isolation -e",
    "python -m build": "python -m build --no-isolation",
}
"""What has to be added where there is no network to get a build backend from."""


class Block(NamedTuple):
    """A fenced block of the page. file: what the paragraph before it ends with, if that names one and has a colon."""

    language: str
    content: str
    file: str


def read_blocks() -> Iterator[Block]:
    before = ""
    for token in MarkdownIt().parse(PAGE.read_text(encoding="utf-8")):
        if token.type == "inline":
            before = token.content
        elif token.type == "fence":
            named = re.search(r"`([\w./-]+\.\w+)`:$", before)
            yield Block(token.info, token.content, named[1] if named else "")
            before = ""


def replace_block(block: Block, project: Path) -> None:
    """Writes a file of the page, or changes the one class that the block shows."""
    path = project / block.file
    if not block.content.startswith("class "):
        path.write_text(block.content, encoding="utf-8")
        return
    [shown] = ast.parse(block.content).body
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    [old] = [
        node for node in ast.parse("".join(lines)).body if getattr(node, "name", "") == getattr(shown, "name", "?")
    ]
    lines[old.lineno - 1 : old.end_lineno] = [block.content]
    path.write_text("".join(lines), encoding="utf-8")


def test_every_block_is_of_a_kind_that_is_run_written_or_only_shown() -> None:
    kinds = {(block.language, bool(block.file)) for block in read_blocks()}
    assert kinds == {("sh", False), ("text", False), ("python", True), ("toml", True)}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_page_can_be_followed_from_nothing_to_a_published_plugin(stranger: Any, tmp_path: Path) -> None:
    here = tmp_path / "work"
    here.mkdir()
    for block in read_blocks():
        if block.file:
            replace_block(block, here)
        elif block.language == "sh":
            for command in block.content.splitlines():
                if command in THERE_ALREADY:
                    continue
                if command.startswith("cd "):
                    here = here / command.removeprefix("cd ")
                    continue
                for written, added in OFFLINE.items():
                    command = command.replace(written, added)
                stranger.run(*shlex.split(command), cwd=here)

    for run, steps in (("first", 150), ("discs", 60), ("fading", 20), ("drift", 20), ("curves", 40)):
        facts = json.loads((here / "runs" / run / "run.json").read_text())
        assert (facts["status"], facts["step"]) == ("finished", steps)
        assert facts["plugins"]["ganzoo-my-gan"] == "0.1.0"
    assert (here / "first.png").is_file()
    assert (here / "curves.png").is_file()
    lines = (here / "falling.csv").read_text().splitlines()
    assert lines[0] == "height"
    assert {len(line.split(",")) for line in lines[1:]} == {24}
    rows = (here / "runs" / "discs" / "losses.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["10", "20", "30", "40", "50", "60"]
    assert {path.suffix for path in (here / "dist").iterdir()} == {".whl", ".gz"}

    again = stranger.run("ganzoo", "show", "my-gan", cwd=here).stdout
    assert re.search(r"^dropout\tfloat, at least 0.*\t0\.0$", again, re.MULTILINE)
    refused = stranger.run("ganzoo", "run", "my_gan_discs", "--set", "discriminator.dropout=1.5", cwd=here, ok=False)
    assert refused.returncode == 2
    assert "discriminator.dropout" in refused.stderr
    losses = json.loads(stranger.run("ganzoo", "list", "losses", "--json", cwd=here).stdout)["losses"]
    assert [row["distribution"] for row in losses if row["name"] == "smoothed"] == ["ganzoo-my-gan"]
