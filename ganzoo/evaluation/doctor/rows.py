"""All checks that need only rows, cheap enough to be made at every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from ganzoo.core.game import PlayerRole
from ganzoo.core.interfaces import Loss
from ganzoo.core.random_streams import own_randomness
from ganzoo.evaluation.doctor.balance import too_strong
from ganzoo.evaluation.doctor.divergence import diverging_loss
from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.gradients import exploding, saturated, vanished
from ganzoo.evaluation.doctor.history import Row, TrainingHistory
from ganzoo.evaluation.doctor.oscillation import oscillation
from ganzoo.evaluation.doctor.scale import scale_of
from ganzoo.recipe.parts import build, build_game
from ganzoo.runs.run import Run

CHECKS: Sequence[Callable[[TrainingHistory], Outcome]] = (
    diverging_loss,
    too_strong,
    saturated,
    vanished,
    exploding,
    oscillation,
)
"""Each checks the recent rows."""


def training_history(run: Run, rows: Sequence[Row]) -> TrainingHistory:
    """The history of a run from these rows."""
    loss: Loss | None = build(run.recipe.loss) if run.recipe.loss else None
    return TrainingHistory(
        rows, run.recipe, run.total_steps, loss, scale_of(loss) if loss else None, roles=roles_of(run)
    )


def roles_of(run: Run) -> Mapping[str, PlayerRole]:
    """What the run's game says of its players; no weights are read."""
    with own_randomness(torch.device("cpu")):
        try:
            with torch.device("meta"):
                return build_game(run.recipe, run.info).roles()
        except Exception:  # a network that cannot be built without memory
            return build_game(run.recipe, run.info).roles()


def row_outcomes(history: TrainingHistory) -> tuple[list[Finding], list[NotExamined]]:
    """The findings in the rows, and what could not be examined.

    After divergence other numbers mean nothing, and only failures are returned.
    """
    outcomes = [check(history) for check in CHECKS]
    found = [outcome for outcome in outcomes if isinstance(outcome, Finding)]
    failures = [finding for finding in found if finding.severity == "failure"]
    missed = [outcome for outcome in outcomes if isinstance(outcome, NotExamined)]
    return (failures, []) if failures else (found, missed)


def row_findings(history: TrainingHistory) -> list[Finding]:
    """The findings in the rows alone."""
    return row_outcomes(history)[0]
