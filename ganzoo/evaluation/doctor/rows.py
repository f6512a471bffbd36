"""All findings that need only rows, cheap enough to check at every row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ganzoo.core.interfaces import Loss
from ganzoo.evaluation.doctor.balance import too_strong, too_weak
from ganzoo.evaluation.doctor.divergence import diverging_loss
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.gradients import exploding, vanishing
from ganzoo.evaluation.doctor.history import Row, TrainingHistory
from ganzoo.evaluation.doctor.oscillation import oscillation
from ganzoo.evaluation.doctor.scale import scale_of
from ganzoo.recipe.parts import build
from ganzoo.runs.run import Run

CHECKS: Sequence[Callable[[TrainingHistory], Finding | None]] = (
    diverging_loss,
    too_strong,
    too_weak,
    vanishing,
    exploding,
    oscillation,
)
"""Each checks the recent rows, and returns a finding or None."""


def training_history(run: Run, rows: Sequence[Row]) -> TrainingHistory:
    """The history of a run from these rows."""
    loss: Loss | None = build(run.recipe.loss) if run.recipe.loss else None
    return TrainingHistory(rows, run.recipe, run.total_steps, loss, scale_of(loss) if loss else None)


def row_findings(history: TrainingHistory) -> list[Finding]:
    """The findings in the rows. After divergence other numbers mean nothing, and only failures are returned."""
    found = [finding for check in CHECKS if (finding := check(history))]
    return [one for one in found if one.severity == "failure"] or found
