"""Fallback data: was the run trained on the data that its recipe names?"""

from __future__ import annotations

from collections.abc import Iterator

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.runs.run import Run


def fallback_data(run: Run) -> Iterator[Finding]:
    """Checks whether the fallback was used instead of the recipe's data set."""
    data = run.facts["dataset"]
    if not data["fallback"]:
        return
    wanted = data["fallback"]["instead_of"]
    yield Finding(
        name="fallback-data",
        severity="note",
        seen=f'the run trained on "{data["name"]}", because "{wanted}" could not be had: {data["fallback"]["reason"]}',
        figures={},
        means=f"Nothing that this run shows is about {wanted}: put its files where GANZOO_DATA or --data-root points.",
        change=(),
        paper="",
        steps=(0, run.step),
    )
