"""Are the numbers still numbers?"""

from __future__ import annotations

import re

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course

RUNAWAY = 1e6
"""A loss of this size says nothing any more. Healthy losses measured 50 at most (a sum of ten terms)."""

NOT_A_NUMBER = re.compile(r"step (\d+): (\S+) is (nan|-?inf)")
"""How a run that failed for that reason says so in run.json."""


def runaway(course: Course) -> Finding | None:
    """A loss has grown beyond all bounds."""
    losses = {player: course.typical(f"loss/{player}") for player in course.players}
    gone = {player: loss for player, loss in losses.items() if loss is not None and abs(loss) > RUNAWAY}
    if not gone:
        return None
    first, last = course.steps
    said = " and ".join(f"{loss:.1e} for the {player}" for player, loss in gone.items())
    return Finding(
        name="divergence",
        severity="failure",
        seen=f"the loss was {said} in steps {first:,} to {last:,}",
        figures={f"loss_{player}": loss for player, loss in gone.items()},
        means="The weights have been thrown so far that no step leads back.",
        change=lowered(course),
        paper="arXiv:1606.03498",
        steps=(first, last),
    )


def not_a_number(course: Course, reason: str) -> Finding | None:
    """The run ended because a value was not finite. reason: as run.json has it."""
    if not (found := NOT_A_NUMBER.search(reason)):
        return None
    step = int(found[1])
    before = max((int(row["step"]) for row in course.rows), default=0)
    return Finding(
        name="divergence",
        severity="failure",
        seen=f"{found[2]} was {found[3]} at step {step:,}; the last row with numbers is that of step {before:,}",
        figures={"step": step},
        means="A step was so large that numbers overflowed, and everything computed from them is lost.",
        change=lowered(course),
        paper="arXiv:1606.03498",
        steps=(before, step),
    )


def lowered(course: Course) -> tuple[str, ...]:
    """Every player's learning rate, at a tenth or at what most papers take, whichever is lower."""
    players = course.recipe.optimizers
    return tuple(f"optimizer.{player}.lr = {min(course.rate(player) / 10, 2e-4):.2g}" for player in players)
