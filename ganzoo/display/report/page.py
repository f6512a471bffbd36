"""Fills the page's template with a run's facts, curves and pictures; everything is inside the one file."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.display.console import messages as words
from ganzoo.display.report.curves import curves
from ganzoo.runs.run import Run

GRIDS = 6
"""So many steps of a grid are shown: the first, the last, and some evenly between."""

GRID_FILE = re.compile(r"step-(\d+)(?:-(.+))?\.png")


@dataclass(frozen=True, slots=True)
class Picture:
    """A sample grid: its step, and the picture as a data URI."""

    step: int
    source: str


def page(run: Run) -> str:
    """The run's report as the text of one HTML file, which needs no other file and no network."""
    scores = run.scores
    return rendered(
        "page.html.jinja",
        title=run.name,
        status=run.status,
        fallback=words.fallback(run),
        facts=list(facts(run)),
        scores=scores,
        letters=words.letters(scores),
        curves=curves(run.metrics),
        grids=grids(run.files.samples),
        recipe=run.files.recipe.read_text(encoding="utf-8"),
        words=words,
    )


def rendered(template: str, **values: Any) -> str:
    """One of the templates here, filled; what is put into it is text, not markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganzoo", "display/report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def facts(run: Run) -> Iterator[words.Pair]:
    """What the console says at a run's start, how far it came, and what it takes to do it again."""
    yield from (pair for pair in words.header(run, going_on=False) if pair[0] != "run")
    known: dict[str, Any] = run.facts
    reason = f": {known['reason']}" if known["reason"] else ""
    yield "status", f"{run.status} at step {run.step:,} of {run.total_steps:,}{reason}"
    yield "time", f"{words.duration(known['seconds'])} of training"
    yield "started", known["started"]
    for resumed in known["resumed"]:
        yield "resumed", f"from step {resumed['step']:,} at {resumed['at']}"
    if rows := run.metrics:
        last = (
            f"{words.SHOWN_AS.get(name, name)} {words.number(value)}" for name, value in words.logged(rows[-1]).items()
        )
        yield "last row", f"step {rows[-1]['step']:,}: {', '.join(last)}"
    yield "data checksum", known["dataset"]["checksum"]
    for label, versions in (("versions", known["versions"]), ("plugins", known["plugins"])):
        yield label, ", ".join(f"{name} {version}" for name, version in versions.items())


def grids(folder: Path) -> dict[str, list[Picture]]:
    """The sample grids, by name ("" is the first of a step), each at a few of its steps."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(folder.glob("step-*.png")):
        if matched := GRID_FILE.fullmatch(path.name):
            found.setdefault(matched[2] or "", []).append((int(matched[1]), path))
    return {
        name: [Picture(step, as_data(path.read_bytes())) for step, path in spread(files)]
        for name, files in found.items()
    }


def newest_grid(folder: Path) -> Path | None:
    """The first grid of the newest step that has one."""
    firsts = [path for path in folder.glob("step-*.png") if (found := GRID_FILE.fullmatch(path.name)) and not found[2]]
    return max(firsts, default=None)


def spread(files: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """At most `GRIDS` of them: the first, the last, and some evenly between."""
    if len(files) <= GRIDS:
        return files
    return [files[round(number * (len(files) - 1) / (GRIDS - 1))] for number in range(GRIDS)]


def as_data(content: bytes) -> str:
    """A PNG file's content as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
