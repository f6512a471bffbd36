"""The doctor while a run trains: a listener that says a finding once, when it becomes true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ganzoo.evaluation.doctor.history import FEWEST, MOST, Row
from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo import Finding, Run

REMEMBERED = 1000
"""Rows that are kept; of more, every other one between the first and the recent ones is forgotten."""


class Watch:
    """Looks at each row as it is written, and never at anything that takes time.

    note: given "doctor" and a finding with the first thing to try, once, when it becomes true.
    """

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self.note = note
        self.rows: list[Row] = []
        self.present: set[str] = set()

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """A run that goes on has rows already."""
        from ganzoo.evaluation.doctor.advice import Advice
        from ganzoo.evaluation.doctor.rows import course_of

        self.rows = list(run.metrics)
        self.advice = Advice(run)
        self.course = course_of(run, self.rows)

    @hookimpl
    def ganzoo_metrics(self, values: Mapping[str, float]) -> None:
        """A row: what does it show that was not there before?"""
        from ganzoo.evaluation.doctor.rows import findings_in

        self.rows.append(values)
        if len(self.rows) > REMEMBERED:
            del self.rows[FEWEST : -4 * MOST : 2]
        found = {finding.name: finding for finding in findings_in(replace(self.course, rows=self.rows))}
        for name in found.keys() - self.present:
            self.report(found[name])
        self.present = set(found)

    def report(self, finding: Finding) -> None:
        """Shows a finding with the first change to try that the recipe takes."""
        line = self.advice.first(finding)
        self.note("doctor", str(finding) + (f"; try {line}" if line else ""))
