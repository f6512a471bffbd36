"""Several runs as one self-contained HTML page: what differs, scores, samples side by side, curves over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo.display.console import messages as words
from ganzoo.display.report.curves import overlaid
from ganzoo.display.report.page import Picture, as_data, grids, rendered
from ganzoo.errors import GanzooError
from ganzoo.kinds.pictures import png
from ganzoo.recipe.messages import shown
from ganzoo.runs.run import Run

if TYPE_CHECKING:
    from ganzoo import Comparison


def comparison_page(comparison: Comparison) -> str:
    """The comparison as the text of one HTML file, which needs no other file and no network."""
    runs = {entrant.label: entrant.run for entrant in comparison.entrants}
    scores = [score for column in comparison.columns for score in column.scores if score]
    metrics = {label: run.metrics for label, run in runs.items()}
    logged = {name for rows in metrics.values() for row in rows for name in words.logged(row)}
    return rendered(
        "comparison.html.jinja",
        title=" and ".join(comparison.labels) if len(runs) < 4 else f"{len(runs)} runs",
        labels=comparison.labels,
        fallbacks=[f"{label}: {line}" for label, run in runs.items() for line in words.fallback(run)],
        notes=comparison.notes,
        commands=comparison.commands,
        budgets=comparison.budgets,
        settings={key: told_settings(values) for key, values in comparison.settings.items()},
        columns=comparison.columns,
        letters=words.letters(scores),
        told_place=told_place,
        pictures=[picture_of(run) for run in runs.values()],
        curves=overlaid(metrics, timed=logged & {score.name for score in scores}),
        words=words,
    )


def told_settings(values: list[object]) -> list[str]:
    """A setting of several runs as their recipes would write it."""
    return ["none" if value is None else shown(value) for value in values]


def told_place(place: tuple[int, int] | None) -> str:
    """ "2", or "1 to 3" where a score is not told apart from others; nothing where nothing is ranked."""
    if place is None:
        return ""
    return str(place[0]) if place[0] == place[1] else f"{place[0]} to {place[1]}"


def picture_of(run: Run) -> Picture | None:
    """The newest grid, or samples drawn now where the recipe asked for no grids; None where it makes none."""
    found = grids(run.files.samples)
    if found:
        return next(iter(found.values()))[-1]
    try:
        return Picture(run.step, as_data(png(run.grid(run.recipe.train.samples))))
    except (GanzooError, ValueError):
        return None
