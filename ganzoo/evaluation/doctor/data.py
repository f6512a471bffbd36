"""Did the run learn from the data that its recipe names?"""

from __future__ import annotations

from collections.abc import Iterator

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.runs.run import Run


def on_other_data(run: Run) -> Iterator[Finding]:
    """The recipe's data set could not be had, and its fallback was used."""
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
