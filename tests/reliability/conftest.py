"""Rows of the reliability table: many cases of one kind of fault, quick in CI, many more in the long form.

A test of this folder is one row of the table in docs/reliability.md:

    @pytest.mark.row("A run killed at a random moment", quick=6, long=200)
    def test_a_killed_run_resumes_bit_for_bit(row: Row) -> None:
        for seed in row:
            with row.case(f"seed {seed}"):
                ...  # an assertion that fails, or any exception, is a failure of this case

`python tests/reliability/long_form.py` runs the long form and writes the table.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

LONG = os.environ.get("GANZOO_RELIABILITY") == "long"
RECORD = os.environ.get("GANZOO_RELIABILITY_RECORD")
"""The folder where each row leaves its figures, where the long form is run."""

SHOWN = 20
"""The most failures of a row that are shown."""


@dataclass
class Row:
    """One row of the table. Iterating over it gives the seeds of its cases, 0 to planned - 1.

    planned: the number of cases; cases: those begun; failures: a line for each that failed.
    """

    name: str
    planned: int
    cases: int = 0
    failures: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.planned))

    @contextmanager
    def case(self, description: str) -> Iterator[None]:
        """One case; what is raised in it is recorded as its failure, and the next case goes on."""
        self.cases += 1
        try:
            yield
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{description}: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            self.failures.append(text)


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """The row that the test's marker describes; after the test it must have cases, and none that failed."""
    marker = request.node.get_closest_marker("row")
    assert marker is not None, "a test of this folder is marked as a row: pytest.mark.row(name, quick=..., long=...)"
    (name,) = marker.args
    row = Row(name, marker.kwargs["long" if LONG else "quick"])
    yield row
    if RECORD:
        figures = {"row": name, "test": request.node.nodeid, "cases": row.cases, "failures": row.failures}
        (Path(RECORD) / f"{request.node.name}.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    assert row.cases >= row.planned, f"{row.name}: {row.cases} of {row.planned} cases were run"
    assert not row.failures, f"{row.name}: {len(row.failures)} of {row.cases} cases failed:\n" + "\n".join(
        row.failures[:SHOWN]
    )
