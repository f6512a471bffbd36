"""`ganzoo list`: lists components and plugins. Imports no torch, and rich only for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from ganzoo.cli.complete import shelves
from ganzoo.errors import PluginError
from ganzoo.plugins import zoo
from ganzoo.plugins.components import SHELVES
from ganzoo.plugins.zoo import suggest_names

Row = dict[str, Any]


@click.command("list")
@click.argument("shelf", required=False, shell_complete=shelves)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: shelf -> list of components.")
def list_(shelf: str | None, as_json: bool) -> None:
    """Show what is on the shelves, or on one SHELF: generators, discriminators, losses, regularizers, datasets, kinds,
    games, metrics, extractors, optimizers, schedules, augmentations, recipes, pretrained, commands, plugins.
    """
    wanted = [*SHELVES.values(), "plugins"] if shelf is None else [plural_of(shelf)]
    shown = {name: rows_of(name, human_readable=not as_json) for name in wanted}
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    if sys.stdout.isatty():
        show_tables(shown)
    else:
        show_lines(shown)
    for row in zoo().plugins() if "plugins" in wanted else ():
        if row.slow:
            click.echo(row.slow, err=True)
    if "plugins" not in wanted:
        broken = [row.name for row in zoo().plugins() if row.status == "broken"]
        in_part = [row.name for row in zoo().plugins() if row.status == "ok" and row.cause]
        for problem, names in (("Broken, and left out", broken), ("Left out in part", in_part)):
            if names:
                click.echo(f"{problem}: {', '.join(names)}. See `ganzoo list plugins`.", err=True)


def plural_of(shelf: str) -> str:
    """A shelf's name, singular or plural -> its plural. Raises: PluginError, with similar names."""
    names = {**SHELVES, "plugin": "plugins"}
    written = shelf.lower()
    if written not in names and written not in names.values():
        raise PluginError(f'there is no shelf "{shelf}".', remedy=suggest_names(written, names.values()))
    return names.get(written, written)


def rows_of(plural: str, *, human_readable: bool = False) -> list[Row]:
    """The entries of a shelf, as `--json` prints them; plugins are rows too, with their status.

    human_readable: whether names are qualified where several plugins share them, and long lists of authors and papers
    are abbreviated.
    """
    if plural == "plugins":
        return [
            {
                "name": row.name,
                "plugin": row.name,
                "distribution": row.distribution,
                "version": row.version,
                "summary": row.credit.summary,
                "paper": abbreviated(row.papers) if human_readable else ", ".join(row.papers),
                "author": abbreviated(row.credit.authors) if human_readable else ", ".join(row.credit.authors),
                "status": row.status,
                "cause": row.cause,
                "slow": row.slow,
            }
            for row in zoo().plugins()
        ]
    shelf = next(name for name, its_plural in SHELVES.items() if its_plural == plural)
    return [
        {
            "name": zoo().qualified_name(entry) if human_readable else entry.name,
            "plugin": entry.plugin,
            "distribution": entry.distribution,
            "version": entry.version,
            "summary": " ".join(entry.component.summary.split()),
            "paper": entry.component.paper,
        }
        for entry in zoo().entries(shelf)
    ]


def abbreviated(texts: Sequence[str]) -> str:
    """Up to two texts; of more, the first and the number of others."""
    return ", ".join(texts) if len(texts) <= 2 else f"{texts[0]} and {len(texts) - 1} more"


def columns(plural: str) -> tuple[str, ...]:
    """The columns of a row that are shown to people."""
    if plural == "plugins":
        return ("name", "author", "distribution", "version", "paper", "status", "cause")
    return ("name", "summary", "paper", "distribution", "version")


def show_lines(shown: dict[str, list[Row]]) -> None:
    """One tab-separated line for each component, its shelf first."""
    for plural, rows in shown.items():
        for row in rows:
            click.echo("\t".join([plural, *(" ".join(row[column].split()) for column in columns(plural))]))


def show_tables(shown: dict[str, list[Row]]) -> None:
    """A table for each shelf, without columns that would be empty; where all are shown, empty shelves are left out."""
    from rich.table import Table
    from rich.text import Text

    from ganzoo.display.console.terminal import Terminal, is_interactive

    console = Terminal(plain=not is_interactive())
    for plural, rows in shown.items():
        if not rows:
            if len(shown) == 1:
                console.print(f"No {plural} yet: they come with plugins.")
            continue
        table = Table(title=plural, title_justify="left", title_style="bold", box=None, pad_edge=False)
        filled = [column for column in columns(plural) if any(row[column] for row in rows)]
        for column in filled:
            table.add_column(column, overflow="fold", header_style="dim", style="bold" if column == "name" else "")
        for row in rows:
            style = {"broken": "red", "blocked": "dim"}.get(row.get("status", ""), "yellow" if row.get("cause") else "")
            table.add_row(*(Text(row[column], style=style) for column in filled))
        console.print(table)
        console.print()
