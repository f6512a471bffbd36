"""`ganzoo list`: the zoo. Imports no torch, and rich only for a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ganzoo.cli.complete import shelves
from ganzoo.components import SHELVES
from ganzoo.errors import PluginError
from ganzoo.plugins import zoo

Rows = dict[str, list[dict[str, Any]]]


@click.command("list")
@click.argument("shelf", required=False, shell_complete=shelves)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: shelf -> list of things.")
def list_(shelf: str | None, as_json: bool) -> None:
    """Show what is on the shelves, or on one SHELF: generators, discriminators, losses, regularizers, datasets, games,
    metrics, optimizers, schedules, augmentations, recipes, plugins.
    """
    everything = rows()
    if shelf is not None:
        wanted = SHELVES.get(shelf, "plugins" if shelf == "plugin" else shelf)
        if wanted not in everything:
            raise PluginError(f'there is no shelf "{shelf}".', remedy=f"There are: {', '.join(everything)}.")
        everything = {wanted: everything[wanted]}
    if as_json:
        click.echo(json.dumps(everything, indent=2))
    elif sys.stdout.isatty():
        show_tables(everything)
    else:
        for name, things in everything.items():
            for thing in things:
                click.echo("\t".join([name, *(str(thing[column]) for column in columns(name))]))


def rows() -> Rows:
    """Shelf (plural) -> its things, as `--json` prints them; "plugins" at the end."""
    found: Rows = {
        plural: [
            {
                "name": entry.name,
                "plugin": entry.plugin,
                "distribution": entry.distribution,
                "version": entry.version,
                "summary": entry.component.summary,
                "paper": entry.component.paper,
            }
            for entry in zoo().entries(shelf)
        ]
        for shelf, plural in SHELVES.items()
    }
    found["plugins"] = [
        {
            "name": row.name,
            "plugin": row.name,
            "distribution": row.distribution,
            "version": row.version,
            "summary": row.summary,
            "paper": "",
            "status": row.status,
            "cause": row.cause,
        }
        for row in zoo().plugins()
    ]
    return found


def columns(shelf: str) -> tuple[str, ...]:
    """What people see of a row."""
    if shelf == "plugins":
        return ("name", "distribution", "version", "status", "cause")
    return ("name", "summary", "paper", "distribution", "version")


def show_tables(everything: Rows) -> None:
    """A table for each shelf that is not empty."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for shelf, things in everything.items():
        if not things and len(everything) > 1:
            continue
        table = Table(title=shelf, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
        for column in columns(shelf):
            table.add_column(column, overflow="fold", style="bold" if column == "name" else "")
        for thing in things:
            broken = thing.get("status", "ok") == "broken"
            table.add_row(*(Text(str(thing[column]), style="red" if broken else "") for column in columns(shelf)))
        console.print(table)
        console.print()
