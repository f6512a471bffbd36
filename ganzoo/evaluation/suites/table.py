"""Formats a suite's result as Markdown, as tables for a terminal, or as one HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.display.markdown import Markdown
from ganzoo.evaluation.suites.results import Cell, Group, Result, Row
from ganzoo.evaluation.suites.runs import SuiteDirectory
from ganzoo.runs.directory import RunDirectory

if TYPE_CHECKING:
    from rich.console import RenderableType

SCORE_NAMES = {"fid": "FID", "kid": "KID", "inception_score": "Inception Score", "reverse_kl": "reverse KL"}
"""Display names of scores."""

BETTER_ARROWS = {"down": "↓", "up": "↑"}


@dataclass(frozen=True, slots=True)
class TableLine:
    """A formatted row of a table: the text of each column, and which of them are bold (see `is_best`)."""

    texts: tuple[str, ...]
    best: tuple[bool, ...]


def headings(group: Group) -> tuple[str, ...]:
    """The columns' headings, each score with an arrow in the direction of better values."""
    scores = [f"{SCORE_NAMES.get(c.name, c.name.replace('_', ' '))} {BETTER_ARROWS[c.better]}" for c in group.columns]
    ranked = [f"rank by {SCORE_NAMES.get(c.name, c.name)}" for c in group.columns[:1]]
    return ("", *scores, *ranked, "seeds", "steps", "training", "CPU time")


def table_lines(group: Group) -> Iterator[TableLine]:
    """A line for each entry, and one for the scores of real data."""
    names = [column.name for column in group.columns]
    found = {name: [row.cells[name] for row in group.rows if name in row.cells] for name in names}
    ranked = {name: sum(cell.rank is not None for cell in cells) for name, cells in found.items()}
    for row in group.rows:
        cells = [row.cells.get(name) for name in names]
        done = sum(run.status == "done" for run in row.runs)
        seeds = f"{done}" if done == len(row.runs) else f"{done} of {len(row.runs)}"
        costs = (
            "" if row.steps is None else f"{row.steps:,.0f}",
            "" if row.seconds is None else f"{row.seconds:,.0f} s",
            "" if row.cpu_seconds is None else f"{row.cpu_seconds:,.0f} s",
        )
        texts = (row.entry, *map(format_mean, cells), *map(format_rank, cells[:1]), seeds, *costs)
        best = [is_best(cell, ranked[name]) for name, cell in zip(names, cells, strict=True)]
        yield TableLine(texts, (False, *best, *[False] * (len(texts) - len(best) - 1)))
    floors = ["" if column.floor is None else f"{column.floor:.4g}" for column in group.columns]
    if any(floors):
        rest = len(headings(group)) - len(floors) - 1
        yield TableLine(("real data", *floors, *[""] * rest), (False,) * (1 + len(floors) + rest))


def format_mean(cell: Cell | None) -> str:
    """Mean and spread: "5.12 ± 0.31"."""
    if cell is None:
        return ""
    return f"{cell.mean:.4g}" if cell.spread is None else f"{cell.mean:.4g} ± {cell.spread:.2g}"


def is_best(cell: Cell | None, ranked: int) -> bool:
    """Whether no cell is significantly better, and one is significantly worse. ranked: number of cells with a rank."""
    return cell is not None and cell.rank is not None and cell.rank[0] == 1 and cell.rank[1] < ranked


def format_rank(cell: Cell | None) -> str:
    """The rank of an entry, or the range of its possible ranks: "1", "2 to 4"."""
    if cell is None or cell.rank is None:
        return ""
    first, last = cell.rank
    return f"{first}" if first == last else f"{first} to {last}"


def notes(result: Result, group: Group) -> Iterator[str]:
    """The notes under a table: protocols, data, the meaning of bold and ranks, failed runs."""
    of: dict[str, list[str]] = {}
    for column in group.columns:
        of.setdefault(column.protocol, []).append(SCORE_NAMES.get(column.name, column.name.replace("_", " ")))
    for protocol, names in of.items():
        yield f"{', '.join(names)}: {protocol}."
    if group.data:
        options = "".join(f", {name} {value}" for name, value in group.data["options"].items() if name != "size")
        yield (
            f"All trained on {group.data['name']}{options}: {group.data['size']:,} {group.data['plural']}, "
            + str(group.data["checksum"])[:19]
            + "."
        )
    draws = "" if result.draws == 1 else f" of {result.draws} draws"
    weights = "averaged weights where the recipe has [ema]" if result.averaged else "the weights themselves"
    yield (
        f"Mean ± sample standard deviation over seeds{draws}; {weights}. Bold: nothing is clearly better, something is "
        "worse. Ranks are what Welch's t-test tells apart, false discoveries held at 5 % over all pairs of a column."
    )
    if any(column.floor is not None for column in group.columns):
        yield "Real data: the same scores of as many real samples of the other split."
    for row in group.rows:
        for run in row.runs:
            if run.status != "done":
                reason = f": {run.reason.splitlines()[0]}" if run.reason else ""
                yield f"{row.entry}, seed {run.seed}: {run.status} at step {run.step:,}{reason}"


def title(result: Result, group: Group) -> str:
    """A table's title, with the data set if the suite has several tables."""
    if len(result.groups) == 1:
        return result.suite
    options = "".join(f", {name} {value}" for name, value in differing_options(result, group).items())
    return f"{result.suite}: {group.data.get('name', 'no data yet')}{options}"


def differing_options(result: Result, group: Group) -> dict[str, Any]:
    """The data options of a table that differ from those of another table of the suite."""
    others = [other.data.get("options", {}) for other in result.groups if other is not group]
    own: Mapping[str, Any] = group.data.get("options", {})
    return {name: value for name, value in own.items() if any(other.get(name) != value for other in others)}


def footer(result: Result) -> Iterator[str]:
    """The lines under all tables: machines, versions, paper, command and date."""
    for machine in result.machines:
        yield f"Trained on {machine}."
    if result.paper:
        yield f"After {result.paper}."
    yield f"ganzoo benchmark {result.suite}, {result.date[:10]}."


def markdown(result: Result) -> str:
    """The tables as Markdown."""
    parts = []
    for group in result.groups:
        heads = headings(group)
        rows = [table_row(heads), Markdown("| --- |" + " ---: |" * (len(heads) - 1))]
        for line in table_lines(group):
            cells = zip(line.texts, line.best, strict=True)
            rows.append(table_row([Markdown("**{}**").format(text) if bold else text for text, bold in cells]))
        head = Markdown("**{}**").format(title(result, group))
        parts.append("\n".join([head, "", *rows, "", *list_items(notes(result, group))]))
    parts.append("\n".join(list_items(footer(result))))
    return "\n\n".join(parts) + "\n"


def table_row(cells: Sequence[str]) -> Markdown:
    """A row of a Markdown table."""
    return Markdown("| {} |").format(Markdown(" | ").join(cells))


def list_items(lines: Iterable[str]) -> Iterator[Markdown]:
    """The lines as a Markdown list."""
    yield from (Markdown("- {}").format(line) for line in lines)


def terminal_tables(result: Result) -> Iterator[RenderableType]:
    """The tables as rich renderables."""
    from rich.table import Table
    from rich.text import Text

    for group in result.groups:
        table = Table(title=title(result, group), title_justify="left", box=None)
        for place, heading in enumerate(headings(group)):
            table.add_column(heading, justify="right" if place else "left")
        for line in table_lines(group):
            cells = zip(line.texts, line.best, strict=True)
            table.add_row(*(Text(text, style="bold" if best else "") for text, best in cells))
        yield table
        yield from (Text(note) for note in notes(result, group))
    yield from (Text(line) for line in footer(result))


def html_page(result: Result, folder: SuiteDirectory) -> str:
    """The tables as one HTML page, with the newest grid of every run."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganzoo", "evaluation/suites"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = [
        {
            "title": title(result, group),
            "headings": headings(group),
            "lines": [list(zip(line.texts, line.best, strict=True)) for line in table_lines(group)],
            "grids": {row.entry: grids(row, folder) for row in group.rows},
            "notes": list(notes(result, group)),
        }
        for group in result.groups
    ]
    template = environment.get_template("table.html.jinja")
    return template.render(name=result.suite, description=result.description, tables=tables, foot=list(footer(result)))


def grids(row: Row, folder: SuiteDirectory) -> list[tuple[int, str]]:
    """The newest grid of each of an entry's runs, as (seed, data URI)."""
    newest: list[tuple[int, Path]] = []
    for run in row.runs:
        found = RunDirectory(folder.runs / f"{row.entry}-seed-{run.seed}").grids(run.step)
        newest += [(run.seed, found[-1].path)] if found else []
    return [(seed, f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}") for seed, path in newest]
