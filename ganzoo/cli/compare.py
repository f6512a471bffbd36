"""`ganzoo compare`: runs side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.errors import GanzooError

if TYPE_CHECKING:
    from rich.console import Console

    from ganzoo.evaluation.comparison import Comparison


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o",
    "out",
    metavar="FILE.html",
    type=click.Path(path_type=Path),
    help="Write one page with overlaid curves and samples side by side.",
)
def compare(runs: tuple[Path, ...], as_json: bool, out: Path | None) -> None:
    """Show the runs in the directories RUN... side by side: settings that differ, budgets, and recorded scores.

    Scores are ranked only within the same protocol, and those whose intervals overlap share a rank. For missing scores,
    the commands that compute them are shown. Nothing is trained or evaluated.
    """
    if out and (out.suffix.lower() not in (".html", ".htm") or out.is_dir() or not out.parent.is_dir()):
        missing = "" if out.parent.is_dir() else f" in a folder that exists (there is no {out.parent})"
        raise GanzooError(f"-o {out}: the page is an HTML file{missing}.", remedy="Name one: -o comparison.html")
    from ganzoo.datasets.atomic import replace_file
    from ganzoo.evaluation.comparison import compare as together

    comparison = together(runs)
    if out:
        try:
            replace_file(out, comparison.html().encode())
        except OSError as error:
            raise GanzooError(f"{out}: cannot be written: {error.strerror or error}.") from error
    if as_json:
        click.echo(json.dumps(comparison.to_json(), indent=2))
    else:
        print_comparison(comparison)
        if out:
            click.echo(f"\n{out}: curves and samples")


def print_comparison(comparison: Comparison) -> None:
    """Prints tables of differing settings, budgets and scores, then notes and commands for missing scores."""
    from rich.text import Text

    from ganzoo.display.console import messages as messages
    from ganzoo.display.console.terminal import Terminal, is_interactive
    from ganzoo.display.report.comparison import format_settings

    terminal = Terminal(plain=not is_interactive())
    for compared in comparison.runs:
        for line in messages.fallback_warning(compared.run)[:1]:
            terminal.print(Text(f"{compared.label}: {line}", style="bold red"))
    if comparison.settings:
        settings = {key: format_settings(values) for key, values in comparison.settings.items()}
        _side_by_side(terminal, "Settings that differ", comparison.labels, settings)
    else:
        terminal.print("The recipes are equal.")
    _side_by_side(terminal, "Budgets", comparison.labels, comparison.budgets)
    _scores(terminal, comparison)
    for note in comparison.notes:
        terminal.print(Text(f"\n{note}"))
    if comparison.commands:
        scope = "for every run under one protocol" if comparison.columns else "of the runs"
        terminal.print(Text(f"\nTo have every score {scope}:"))
        for command in comparison.commands:
            terminal.print(Text(f"  {command}"), soft_wrap=True)


MAX_COLUMNS = 3
"""The most runs that have a column each; of more, those with the same value share a row."""


def _side_by_side(terminal: Console, title: str, labels: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    """A table with a column for each run; for many runs, one with a row for each value and the runs that have it."""
    from rich.text import Text

    table = _table(title)
    if len(labels) > MAX_COLUMNS:
        for heading in ("", "value", "runs"):
            table.add_column(heading, overflow="fold")
        for name, texts in rows.items():
            for number, value in enumerate(dict.fromkeys(texts)):
                having = [label for label, text in zip(labels, texts, strict=True) if text == value]
                runs = "all" if len(having) == len(labels) else ", ".join(having)
                table.add_row(*map(Text, ("" if number else name, value, runs)))
        terminal.print(table)
        return
    for heading in ("", *labels):
        table.add_column(Text(heading), overflow="fold")
    for name, texts in rows.items():
        table.add_row(Text(name), *map(Text, texts))
    terminal.print(table)


def _scores(terminal: Console, comparison: Comparison) -> None:
    """A table of each number under each protocol, the best ranks first; then the protocols."""
    from rich.text import Text

    from ganzoo.display.console import messages as messages
    from ganzoo.display.report.comparison import format_rank

    if not comparison.columns:
        terminal.print("\nNo scores are recorded.")
        return
    letters = messages.protocol_letters(column.any for column in comparison.columns)
    table = _table("Scores")
    for heading in ("score", "place", "run", "value", "interval", "real data", "step"):
        number = heading in ("value", "interval", "real data")  # numbers are not wrapped; names are
        table.add_column(heading, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for column in comparison.columns:
        there = [
            (label, score, place)
            for label, score, place in zip(comparison.labels, column.scores, column.ranks, strict=True)
            if score
        ]
        head = f"{column.name} ({letters[column.any.protocol.key][0]})"
        for label, score, place in sorted(there, key=lambda row: row[2] or (0, 0)):
            of = f"{score.step:,}{', averaged' if score.ema else ''}"
            numbers = (f"{score.value:.4g}", messages.format_interval(score), messages.format_real_data_score(score))
            table.add_row(*map(Text, (head, format_rank(place), label, *numbers, of)))
            head = ""
    terminal.print(table)
    for mark, protocol in letters.values():
        terminal.print(Text(f"{mark}  {protocol}"), soft_wrap=True)


def _table(title: str) -> Any:
    from rich.table import Table

    return Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
