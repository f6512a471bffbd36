"""The report of a run as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.display.console import messages as messages
from ganzoo.display.report.curves import curves
from ganzoo.display.report.media import sample_media
from ganzoo.errors import RunError
from ganzoo.recipe.plain_file import MIB, read_plain_file
from ganzoo.runs.metrics_log import MetricsLog
from ganzoo.runs.record import RunRecord
from ganzoo.runs.run import Run

MAX_GRIDS = 6
"""The largest number of steps for which a grid is shown."""

MAX_GRID_BYTES = 64 * MIB
"""The largest grid that a page holds."""


@dataclass(frozen=True, slots=True)
class GridImage:
    """A sample grid: its step, and the image as a data URI."""

    step: int
    source: str


def page(run: Run) -> str:
    """The run's report as one self-contained HTML page."""
    scores, log = run.scores, run.log
    return render_template(
        "page.html.jinja",
        title=run.name,
        status=run.status,
        fallback=messages.fallback_warning(run),
        facts=list(facts(run, log)),
        scores=scores,
        letters=messages.protocol_letters(scores),
        curves=curves(log.rows),
        grids=grids(run),
        media=sample_media(run),
        recipe=run.files.recipe.read_text(encoding="utf-8"),
        messages=messages,
    )


def render_template(template: str, **values: Any) -> str:
    """Renders a template of this folder; values are escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganzoo", "display/report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def facts(run: Run, log: MetricsLog) -> Iterator[messages.Pair]:
    """The facts of a run: header, status, last row, what of its log cannot be read, and versions for reproduction."""
    yield from (pair for pair in messages.run_header(run, going_on=False) if pair[0] != "run")
    known: dict[str, Any] = run.facts
    reason = f": {known['reason']}" if known["reason"] else ""
    yield "status", f"{run.status} at step {run.step:,} of {run.total_steps:,}{reason}"
    yield "time", f"{messages.format_duration(known['seconds'])} of training"
    yield "started", known["started"]
    for resumed in known["resumed"]:
        yield "resumed", f"from step {resumed['step']:,} at {resumed['at']}"
    if rows := log.rows:
        last = (
            f"{messages.DISPLAY_NAMES.get(name, name)} {messages.format_number(value)}"
            for name, value in messages.logged_metrics(rows[-1]).items()
        )
        yield "last row", f"step {rows[-1]['step']:,}: {', '.join(last)}"
    if log.damage:
        yield "not read", log.damage
    yield "data checksum", known["dataset"]["checksum"]
    for label, versions in (("versions", known["versions"]), ("plugins", known["plugins"])):
        yield label, ", ".join(f"{name} {version}" for name, version in versions.items())


def grids(run: RunRecord) -> dict[str, list[GridImage]]:
    """The sample grids by name ("" for the first of a step), each at MAX_GRIDS steps at most."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for step, name, path in run.grids:
        found.setdefault(name, []).append((step, path))
    return {
        name: [GridImage(step, png_data_uri(read_grid(path))) for step, path in evenly_spaced(files)]
        for name, files in found.items()
    }


def read_grid(path: Path) -> bytes:
    """A grid's file. Raises: RunError where it is no plain file, or too large for a page."""
    try:
        return read_plain_file(path, limit=MAX_GRID_BYTES)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}.", remedy="Delete it.") from error


def newest_grid(run: RunRecord) -> Path | None:
    """The first grid of the newest step, or None."""
    return next((grid.path for grid in reversed(run.grids) if not grid.name), None)


def evenly_spaced(files: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """At most MAX_GRIDS files: the first, the last, and evenly spaced ones between."""
    if len(files) <= MAX_GRIDS:
        return files
    return [files[round(number * (len(files) - 1) / (MAX_GRIDS - 1))] for number in range(MAX_GRIDS)]


def png_data_uri(content: bytes) -> str:
    """A PNG file's content as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
