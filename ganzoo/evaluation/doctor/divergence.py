"""Divergence: very large losses, NaN and infinity."""

from __future__ import annotations

import re

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import TrainingHistory

MAX_LOSS = 1e6
"""A larger loss counts as diverged. Losses of healthy runs were 50 at most (a sum of ten terms)."""

NOT_A_NUMBER = re.compile(r"step (\d+): (\S+) is (nan|-?inf)")
"""The reason in run.json of a run that failed by a non-finite value."""

OPTIMIZER_STATE = re.compile(r"optimizer/(.+)\.[^.]+")
"""The name of a value in the reason that is the state of a player's optimizer: "optimizer/generator.exp_avg_sq"."""

NEVER_AGAIN = (
    "A loss was so large that the square of its gradient overflowed. Every later step is divided by it: the {player} "
    "can never move again."
)
"""What a non-finite state of an optimizer means."""


def diverging_loss(history: TrainingHistory) -> Finding | None:
    """Checks for losses above MAX_LOSS."""
    losses = {player: history.typical(f"loss/{player}") for player in history.players}
    diverged = {player: loss for player, loss in losses.items() if loss is not None and abs(loss) > MAX_LOSS}
    if not diverged:
        return None
    first, last = history.steps
    said = " and ".join(f"{loss:.1e} for the {player}" for player, loss in diverged.items())
    return Finding(
        name="divergence",
        severity="failure",
        seen=f"the loss was {said} in steps {first:,} to {last:,}",
        figures={f"loss_{player}": loss for player, loss in diverged.items()},
        means="The weights have been thrown so far that no step leads back.",
        change=lowered_learning_rates(history),
        paper="arXiv:1606.03498",
        steps=(first, last),
    )


def non_finite_value(history: TrainingHistory, reason: str) -> Finding | None:
    """Checks whether the run failed by a non-finite value. reason: as in run.json."""
    if not (found := NOT_A_NUMBER.search(reason)):
        return None
    step = int(found[1])
    before = max((int(row["step"]) for row in history.rows), default=0)
    if state := OPTIMIZER_STATE.fullmatch(found[2]):
        return Finding(
            name="frozen-player",
            severity="failure",
            seen=f"{found[2]} was {found[3]} at step {step:,}; the last row is that of step {before:,}",
            figures={"step": step},
            means=NEVER_AGAIN.format(player=state[1]),
            change=(limited_gradients(state[1]), *lowered_learning_rates(history)),
            paper="arXiv:1412.6980",
            steps=(before, step),
        )
    return Finding(
        name="divergence",
        severity="failure",
        seen=f"{found[2]} was {found[3]} at step {step:,}; the last row with numbers is that of step {before:,}",
        figures={"step": step},
        means="A step was so large that numbers overflowed, and everything computed from them is lost.",
        change=lowered_learning_rates(history),
        paper="arXiv:1606.03498",
        steps=(before, step),
    )


def limited_gradients(player: str) -> str:
    """A limit on the norm of the player's gradients, as a line of the recipe."""
    return f"optimizer.{player}.clip_norm = 1.0"


def lowered_learning_rates(history: TrainingHistory) -> tuple[str, ...]:
    """Every player's learning rate, reduced to a tenth, and to 2e-4 at most."""
    players = history.recipe.optimizers
    return tuple(f"optimizer.{player}.lr = {min(history.rate(player) / 10, 2e-4):.2g}" for player in players)
