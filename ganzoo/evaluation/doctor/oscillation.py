"""Do the players chase each other in circles?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, linear_regression, pstdev

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course

ROWS = 10
"""Rows that it takes to tell a swing from a bend."""

CROSSINGS = 4
"""And so often the loss crosses its own trend: two swings there and back. A bend crosses it twice."""

SWING = 0.25
"""The standard deviation of the discriminator's loss around its trend, in units of what guessing costs. Healthy runs
measured 0.06 at most."""

CRITIC_SWING = 0.5
"""The same of a critic's estimate, which has no such unit, as a share of its mean size. Healthy runs measured 0.1 at
most once they had begun; a critic that is led around in circles 0.9 to 1.5, its estimate now positive, now negative."""


def swinging(course: Course) -> Finding | None:
    """The losses swing to and fro, and do not calm down."""
    name = "loss/discriminator"
    if course.scale is None:
        name = next((logged for logged in ("wasserstein", name) if course.rows and logged in course.rows[-1]), name)
    values = course.values(name, ROWS)
    if len(values) < ROWS:
        return None
    away = detrended(values)
    unit = course.scale.guessing - course.scale.winning if course.scale else fmean(map(abs, values))
    swing = pstdev(away) / max(unit, 1e-12)
    crossings = sum((one > 0) != (other > 0) for one, other in pairwise(away))
    if swing < (SWING if course.scale else CRITIC_SWING) or crossings < CROSSINGS:
        return None
    first, last = course.steps_of(ROWS)
    what = "what guessing costs" if course.scale else "its size"
    return Finding(
        name="oscillation",
        severity="warning",
        seen=f"{name} swung by {swing:.0%} of {what} around its trend in steps {first:,} to {last:,}, between "
        f"{min(values):.2g} and {max(values):.2g}, and crossed it {crossings} times",
        figures={"swing": swing, "crossings": crossings, "lowest": min(values), "highest": max(values)},
        means="Each player undoes what the other has just learned: they go around the equilibrium, and not towards it.",
        change=changes(course),
        otherwise=slower(course),
        paper="arXiv:1801.04406",
        steps=(first, last),
    )


def detrended(values: Sequence[float]) -> list[float]:
    """The values without the straight line through them."""
    line = linear_regression(range(len(values)), values)
    return [value - line.intercept - line.slope * place for place, value in enumerate(values)]


def changes(course: Course) -> tuple[str, ...]:
    """Less momentum, which carries the players past each other (arXiv:1807.04740), more critic moves, smaller steps."""
    lines = []
    for player in course.recipe.optimizers:
        betas, momentum = (course.setting(f"optimizer.{player}.{name}") for name in ("betas", "momentum"))
        if betas and betas[0] > 0.5:
            lines.append(f"optimizer.{player}.betas = [0.0, 0.9]")
        if momentum:
            lines.append(f"optimizer.{player}.momentum = 0.0")
    if course.scale is None and (course.setting("game.n_critic") or 1) < 5:
        lines.append("game.n_critic = 5")
    if not course.recipe.regularizers:
        lines.append('regularizer = [{ name = "r1", weight = 5.0 }]')
    return tuple(lines) or slower(course)


def slower(course: Course) -> tuple[str, ...]:
    """Every player's learning rate, at a fifth."""
    return tuple(course.scaled(player, 0.2) for player in course.recipe.optimizers)
