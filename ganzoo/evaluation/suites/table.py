"""A suite's result as people read it: Markdown, a table in a terminal, one HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.evaluation.suites.results import Cell, Group, Result, Row
from ganzoo.evaluation.suites.runs import SuiteDirectory

if TYPE_CHECKING:
    from rich.console import RenderableType

SCORES = {"fid": "FID", "kid": "KID", "inception_score": "Inception Score", "reverse_kl": "reverse KL"}
"""Scores that people know under another name than rows of metrics have."""

BETTER = {"down": "↓", "up": "↑"}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table in words: a text a column, and which of them nothing is better than, and something is worse."""

    texts: tuple[str, ...]
    best: tuple[bool, ...]


def headings(group: Group) -> tuple[str, ...]:
    """The columns' headings, each score with an arrow in its better way."""
    scores = [f"{SCORES.get(c.name, c.name.replace('_', ' '))} {BETTER[c.better]}" for c in group.columns]
    ranked = [f"rank by {SCORES.get(c.name, c.name)}" for c in group.columns[:1]]
    return ("", *scores, *ranked, "seeds", "steps", "training", "CPU time")


def lines(group: Group) -> Iterator[Line]:
    """A line an entry, and one of what real data get."""
    names = [column.name for column in group.columns]
    found = {name: [row.cells[name] for row in group.rows if name in row.cells] for name in names}
    ranked = {name: sum(cell.rank is not None for cell in cells) for name, cells in found.items()}
    for row in group.rows:
        cells = [row.cells.get(name) for name in names]
        done = sum(run.status == "done" for run in row.runs)
        seeds = f"{done}" if done == len(row.runs) else f"{done} of {len(row.runs)}"
        took = (
            "" if row.steps is None else f"{row.steps:,.0f}",
            "" if row.seconds is None else f"{row.seconds:,.0f} s",
            "" if row.cpu_seconds is None else f"{row.cpu_seconds:,.0f} s",
        )
        texts = (row.entry, *map(number, cells), *map(places, cells[:1]), seeds, *took)
        best = [is_best(cell, ranked[name]) for name, cell in zip(names, cells, strict=True)]
        yield Line(texts, (False, *best, *[False] * (len(texts) - len(best) - 1)))
    floors = ["" if column.floor is None else f"{column.floor:.4g}" for column in group.columns]
    if any(floors):
        rest = len(headings(group)) - len(floors) - 1
        yield Line(("real data", *floors, *[""] * rest), (False,) * (1 + len(floors) + rest))


def number(cell: Cell | None) -> str:
    """Mean and spread: "5.12 ± 0.31"."""
    if cell is None:
        return ""
    return f"{cell.mean:.4g}" if cell.spread is None else f"{cell.mean:.4g} ± {cell.spread:.2g}"


def is_best(cell: Cell | None, ranked: int) -> bool:
    """Whether nothing is clearly better than a cell, and something is clearly worse. ranked: cells with a rank."""
    return cell is not None and cell.rank is not None and cell.rank[0] == 1 and cell.rank[1] < ranked


def places(cell: Cell | None) -> str:
    """The place that an entry has, or the places that the spread leaves open: "1", "2 to 4"."""
    if cell is None or cell.rank is None:
        return ""
    first, last = cell.rank
    return f"{first}" if first == last else f"{first} to {last}"


def notes(result: Result, group: Group) -> Iterator[str]:
    """What has to be said under a table: the protocols, the data, what is bold, who failed."""
    of: dict[str, list[str]] = {}
    for column in group.columns:
        of.setdefault(column.protocol, []).append(SCORES.get(column.name, column.name.replace("_", " ")))
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
    """A table's title; the data where the suite has several tables."""
    if len(result.groups) == 1:
        return result.suite
    options = "".join(f", {name} {value}" for name, value in differing(result, group).items())
    return f"{result.suite}: {group.data.get('name', 'no data yet')}{options}"


def differing(result: Result, group: Group) -> dict[str, Any]:
    """The options of a table's data that are others in another table of the suite."""
    others = [other.data.get("options", {}) for other in result.groups if other is not group]
    own: Mapping[str, Any] = group.data.get("options", {})
    return {name: value for name, value in own.items() if any(other.get(name) != value for other in others)}


def foot(result: Result) -> Iterator[str]:
    """What the whole is from: machines, versions, the paper, the date."""
    for machine in result.machines:
        yield f"Trained on {machine}."
    if result.paper:
        yield f"After {result.paper}."
    yield f"`ganzoo benchmark {result.suite}`, {result.date[:10]}."


def markdown(result: Result) -> str:
    """The tables as Markdown."""
    parts = []
    for group in result.groups:
        heads = headings(group)
        rows = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
        for line in lines(group):
            texts = [f"**{text}**" if bold else text for text, bold in zip(line.texts, line.best, strict=True)]
            rows.append("| " + " | ".join(texts) + " |")
        parts.append(
            "\n".join([f"**{title(result, group)}**", "", *rows, "", *(f"- {n}" for n in notes(result, group))])
        )
    parts.append("\n".join(f"- {line}" for line in foot(result)))
    return "\n\n".join(parts) + "\n"


def for_terminal(result: Result) -> Iterator[RenderableType]:
    """The tables for rich to draw."""
    from rich.table import Table
    from rich.text import Text

    for group in result.groups:
        table = Table(title=title(result, group), title_justify="left", box=None)
        for place, heading in enumerate(headings(group)):
            table.add_column(heading, justify="right" if place else "left")
        for line in lines(group):
            cells = zip(line.texts, line.best, strict=True)
            table.add_row(*(Text(text, style="bold" if best else "") for text, best in cells))
        yield table
        yield from (Text(note) for note in notes(result, group))
    yield from (Text(line) for line in foot(result))


def page(result: Result, folder: SuiteDirectory) -> str:
    """The tables as one HTML file, the newest grid of every run under its entry's row."""
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
            "lines": [list(zip(line.texts, line.best, strict=True)) for line in lines(group)],
            "grids": {row.entry: grids(row, folder) for row in group.rows},
            "notes": list(notes(result, group)),
        }
        for group in result.groups
    ]
    template = environment.get_template("table.html.jinja")
    return template.render(name=result.suite, description=result.description, tables=tables, foot=list(foot(result)))


def grids(row: Row, folder: SuiteDirectory) -> list[tuple[int, str]]:
    """The newest grid of each of an entry's runs, as (seed, data URI)."""
    newest: list[tuple[int, Path]] = []
    for run in row.runs:
        found = sorted((folder.runs / f"{row.entry}-seed-{run.seed}" / "samples").glob("step-*.png"))
        newest += [(run.seed, found[-1])] if found else []
    return [(seed, f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}") for seed, path in newest]
