"""Every finding that rows alone can give: cheap enough to be looked for whenever one is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ganzoo.core.interfaces import Loss
from ganzoo.evaluation.doctor.balance import too_strong, too_weak
from ganzoo.evaluation.doctor.divergence import runaway
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.gradients import exploding, vanishing
from ganzoo.evaluation.doctor.history import Course, Row
from ganzoo.evaluation.doctor.oscillation import swinging
from ganzoo.evaluation.doctor.scale import scale_of
from ganzoo.recipe.parts import build
from ganzoo.runs.run import Run

CHECKS: Sequence[Callable[[Course], Finding | None]] = (
    runaway,
    too_strong,
    too_weak,
    vanishing,
    exploding,
    swinging,
)
"""Each reads the recent rows and says what it found in them, or nothing."""


def course_of(run: Run, rows: Sequence[Row]) -> Course:
    """A run's course as far as these rows tell it."""
    loss: Loss | None = build(run.recipe.loss) if run.recipe.loss else None
    return Course(rows, run.recipe, run.total_steps, loss, scale_of(loss) if loss else None)


def findings_in(course: Course) -> list[Finding]:
    """What the rows show. Losses that have run away leave no other number a meaning, and are then all that is said."""
    found = [finding for check in CHECKS if (finding := check(course))]
    return [one for one in found if one.severity == "failure"] or found
