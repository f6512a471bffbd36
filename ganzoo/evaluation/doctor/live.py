"""The doctor during training: an observer that reports each finding when it first appears."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ganzoo.evaluation.doctor.history import MAX_ROWS, MIN_ROWS, Row
from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo import Finding, Run

MAX_KEPT_ROWS = 1000
"""The largest number of kept rows; beyond it every other one between the first and the recent ones is dropped."""


class DoctorObserver:
    """Checks each row when it is written; makes no slow checks.

    note: called with "doctor" and a new finding with the first suggested change.
    """

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self.note = note
        self.rows: list[Row] = []
        self.present: set[str] = set()

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """Loads the rows of a resumed run."""
        from ganzoo.evaluation.doctor.advice import Advice
        from ganzoo.evaluation.doctor.rows import training_history

        self.rows = list(run.metrics)
        self.advice = Advice(run)
        self.history = training_history(run, self.rows)

    @hookimpl
    def ganzoo_metrics(self, values: Mapping[str, float]) -> None:
        """Checks the rows with a new one, and reports new findings."""
        from ganzoo.evaluation.doctor.rows import row_findings

        self.rows.append(values)
        if len(self.rows) > MAX_KEPT_ROWS:
            del self.rows[MIN_ROWS : -4 * MAX_ROWS : 2]
        found = {finding.name: finding for finding in row_findings(replace(self.history, rows=self.rows))}
        for name in found.keys() - self.present:
            self.report(found[name])
        self.present = set(found)

    def report(self, finding: Finding) -> None:
        """Shows a finding with the first change to try that the recipe takes."""
        line = self.advice.first(finding)
        self.note("doctor", str(finding) + (f"; try {line}" if line else ""))
