"""`ganzoo list`: the zoo. Imports no torch, and rich only for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from ganzoo.cli.complete import shelves
from ganzoo.errors import PluginError
from ganzoo.plugins import zoo
from ganzoo.plugins.components import SHELVES
from ganzoo.plugins.zoo import suggest_names

Row = dict[str, str]


@click.command("list")
@click.argument("shelf", required=False, shell_complete=shelves)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: shelf -> list of things.")
def list_(shelf: str | None, as_json: bool) -> None:
    """Show what is on the shelves, or on one SHELF: generators, discriminators, losses, regularizers, datasets, kinds,
    games, metrics, extractors, optimizers, schedules, augmentations, recipes, pretrained, commands, plugins.
    """
    wanted = [*SHELVES.values(), "plugins"] if shelf is None else [plural_of(shelf)]
    shown = {name: rows_of(name, spelled=not as_json) for name in wanted}
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    if sys.stdout.isatty():
        show_tables(shown)
    else:
        show_lines(shown)
    if "plugins" not in wanted:
        broken = [row.name for row in zoo().plugins() if row.status == "broken"]
        in_part = [row.name for row in zoo().plugins() if row.status == "ok" and row.cause]
        for said, names in (("Broken, and left out", broken), ("Left out in part", in_part)):
            if names:
                click.echo(f"{said}: {', '.join(names)}. See `ganzoo list plugins`.", err=True)


def plural_of(shelf: str) -> str:
    """A shelf as the user may write it -> its plural. Raises: PluginError, with the nearest one."""
    names = {**SHELVES, "plugin": "plugins"}
    written = shelf.lower()
    if written not in names and written not in names.values():
        raise PluginError(f'there is no shelf "{shelf}".', remedy=suggest_names(written, names.values()))
    return names.get(written, written)


def rows_of(plural: str, *, spelled: bool = False) -> list[Row]:
    """What stands on a shelf, as `--json` prints it; plugins are rows like any other, with their state of health.

    spelled: as people read it: names that several plugins claim are given as a recipe has to write them, and of long
    lists of authors and papers only the beginning.
    """
    if plural == "plugins":
        return [
            {
                "name": row.name,
                "plugin": row.name,
                "distribution": row.distribution,
                "version": row.version,
                "summary": row.credit.summary,
                "paper": few(row.papers) if spelled else ", ".join(row.papers),
                "author": few(row.credit.authors) if spelled else ", ".join(row.credit.authors),
                "status": row.status,
                "cause": row.cause,
            }
            for row in zoo().plugins()
        ]
    shelf = next(name for name, its_plural in SHELVES.items() if its_plural == plural)
    return [
        {
            "name": zoo().qualified_name(entry) if spelled else entry.name,
            "plugin": entry.plugin,
            "distribution": entry.distribution,
            "version": entry.version,
            "summary": " ".join(entry.component.summary.split()),
            "paper": entry.component.paper,
        }
        for entry in zoo().entries(shelf)
    ]


def few(said: Sequence[str]) -> str:
    """At most two of them, and how many more there are."""
    return ", ".join(said) if len(said) <= 2 else f"{said[0]} and {len(said) - 1} more"


def columns(plural: str) -> tuple[str, ...]:
    """What people see of a row."""
    if plural == "plugins":
        return ("name", "author", "distribution", "version", "paper", "status", "cause")
    return ("name", "summary", "paper", "distribution", "version")


def show_lines(shown: dict[str, list[Row]]) -> None:
    """One line a thing, its shelf first, separated by tabs."""
    for plural, rows in shown.items():
        for row in rows:
            click.echo("\t".join([plural, *(row[column] for column in columns(plural))]))


def show_tables(shown: dict[str, list[Row]]) -> None:
    """A table for each shelf, without columns that would be empty; where all are shown, empty shelves are left out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
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
