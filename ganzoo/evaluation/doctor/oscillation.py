"""Oscillation of the losses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, linear_regression, pstdev

from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.history import TrainingHistory

ROWS = 10
"""The number of rows needed to distinguish oscillation from curvature."""

MIN_CROSSINGS = 4
"""The smallest number of crossings of the trend: two periods. A curved trend crosses it twice."""

MAX_SWING = 0.25
"""The standard deviation of the discriminator's loss around its trend, in units of what guessing costs. Healthy runs
measured 0.06 at most."""

MAX_CRITIC_SWING = 0.5
"""The same of a critic's estimate, which has no such unit, as a share of its mean size. Healthy runs measured 0.1 at
most once they had begun; a critic that is led around in circles 0.9 to 1.5, its estimate now positive, now negative."""


ESTIMATE = "wasserstein"
"""The logged value that a critic's loss estimates, without its penalties."""


def oscillation(history: TrainingHistory) -> Outcome:
    """Checks whether a discriminator's loss, or a critic's estimate, oscillates around its trend."""
    names = [f"loss/{player}" for player in history.players_as("discriminator")]
    if not names:
        return NotExamined("oscillation", history.lacks("discriminator"))
    if history.scale is None and ESTIMATE in history.rows[-1]:
        names = [ESTIMATE]
    if not any(len(history.values(name, ROWS)) >= ROWS for name in names):
        return NotExamined("oscillation", f"it takes {ROWS} rows after the first tenth of the budget")
    return next((swinging for name in names if (swinging := swings(history, name))), None)


def swings(history: TrainingHistory, name: str) -> Finding | None:
    """Checks whether a logged value oscillates around its trend."""
    values = history.values(name, ROWS)
    if len(values) < ROWS:
        return None
    residuals = detrended(values)
    losses = history.roles[player].losses if (player := name.removeprefix("loss/")) in history.roles else 1
    unit = losses * history.scale.unit if history.scale else fmean(map(abs, values))
    swing = pstdev(residuals) / max(unit, 1e-12)
    crossings = sum((one > 0) != (other > 0) for one, other in pairwise(residuals))
    if swing < (MAX_SWING if history.scale else MAX_CRITIC_SWING) or crossings < MIN_CROSSINGS:
        return None
    first, last = history.steps_of(ROWS)
    what = "what guessing costs" if history.scale else "its size"
    return Finding(
        name="oscillation",
        severity="warning",
        seen=f"{name} swung by {swing:.0%} of {what} around its trend in steps {first:,} to {last:,}, between "
        f"{min(values):.2g} and {max(values):.2g}, and crossed it {crossings} times",
        figures={"swing": swing, "crossings": crossings, "lowest": min(values), "highest": max(values)},
        means="Each player undoes what the other has just learned: they go around the equilibrium, and not towards it.",
        change=changes(history),
        otherwise=slower(history),
        paper="arXiv:1801.04406",
        steps=(first, last),
    )


def detrended(values: Sequence[float]) -> list[float]:
    """The values minus their linear trend."""
    line = linear_regression(range(len(values)), values)
    return [value - line.intercept - line.slope * place for place, value in enumerate(values)]


def changes(history: TrainingHistory) -> tuple[str, ...]:
    """Remedies: less momentum (arXiv:1807.04740), more critic moves, regularization, lower learning rates."""
    lines = []
    for player in history.recipe.optimizers:
        betas, momentum = (history.setting(f"optimizer.{player}.{name}") for name in ("betas", "momentum"))
        if betas and betas[0] > 0.5:
            lines.append(f"optimizer.{player}.betas = [0.0, 0.9]")
        if momentum:
            lines.append(f"optimizer.{player}.momentum = 0.0")
    if history.scale is None and (history.setting("game.n_critic") or 1) < 5:
        lines.append("game.n_critic = 5")
    if not history.recipe.regularizers:
        lines.append('regularizer = [{ name = "r1", weight = 5.0 }]')
    return tuple(lines) or slower(history)


def slower(history: TrainingHistory) -> tuple[str, ...]:
    """A fifth of every player's learning rate."""
    return tuple(history.scaled(player, 0.2) for player in history.recipe.optimizers)
