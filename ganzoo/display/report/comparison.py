"""A comparison of runs as one self-contained HTML page: settings, scores, samples, curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo.display.console import messages as messages
from ganzoo.display.report.curves import overlaid_curves
from ganzoo.display.report.page import GridImage, grids, png_data_uri, render_template
from ganzoo.errors import GanzooError
from ganzoo.kinds.pictures import png
from ganzoo.recipe.messages import format_value
from ganzoo.runs.run import Run

if TYPE_CHECKING:
    from ganzoo import Comparison


def comparison_page(comparison: Comparison) -> str:
    """The comparison as one self-contained HTML page."""
    runs = {compared.label: compared.run for compared in comparison.runs}
    scores = [score for column in comparison.columns for score in column.scores if score]
    logs = {label: run.log for label, run in runs.items()}
    metrics = {label: log.rows for label, log in logs.items()}
    logged = {name for rows in metrics.values() for row in rows for name in messages.logged_metrics(row)}
    return render_template(
        "comparison.html.jinja",
        title=" and ".join(comparison.labels) if len(runs) < 4 else f"{len(runs)} runs",
        labels=comparison.labels,
        fallbacks=[f"{label}: {line}" for label, run in runs.items() for line in messages.fallback_warning(run)],
        notes=[*comparison.notes, *(f"{label}: {log.damage}" for label, log in logs.items() if log.damage)],
        commands=comparison.commands,
        budgets=comparison.budgets,
        settings={key: format_settings(values) for key, values in comparison.settings.items()},
        columns=comparison.columns,
        letters=messages.protocol_letters(scores),
        format_rank=format_rank,
        pictures=[samples_image(run) for run in runs.values()],
        curves=overlaid_curves(metrics, timed=logged & {score.name for score in scores}),
        messages=messages,
    )


def format_settings(values: list[object]) -> list[str]:
    """A setting's values in several runs, in the syntax of recipes."""
    return ["none" if value is None else format_value(value) for value in values]


def format_rank(place: tuple[int, int] | None) -> str:
    """ "2", or "1 to 3" for a range of ranks; "" if there is none."""
    if place is None:
        return ""
    return str(place[0]) if place[0] == place[1] else f"{place[0]} to {place[1]}"


def samples_image(run: Run) -> GridImage | None:
    """The newest grid, or new samples if the recipe writes no grids; None if the game makes none."""
    found = grids(run)
    if found:
        return next(iter(found.values()))[-1]
    try:
        return GridImage(run.step, png_data_uri(png(run.grid(run.recipe.train.samples))))
    except (GanzooError, ValueError):
        return None
