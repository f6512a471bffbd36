"""Vanishing and exploding gradients."""

from __future__ import annotations

from ganzoo.evaluation.doctor.balance import probabilities_of
from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.scale import relative_gradient

MIN_RELATIVE_GRADIENT = 0.05
"""The smallest healthy gradient of the generator's loss relative to that at D = 1/2. A saturating loss is below it
where D(G(z)) < 0.025; non-saturating losses give up to twice the gradient, however strong the discriminator."""

MIN_NORM_SHARE = 0.01
"""The smallest healthy gradient norm relative to the largest of the run. In healthy runs the norm grows."""

MAX_NORM = 1000.0
"""A norm over this, in the middle of the recent rows. Healthy runs measured 0.2 to 130 (a hinge loss's discriminator;
80 for a generator in its beginning under a gradient penalty); with a critic that nothing holds back it was 1,700."""


def saturated(history: TrainingHistory) -> Outcome:
    """Checks whether the generator's loss saturates: its gradient by the score, relative to that at D = 1/2."""
    if history.loss is None:
        return NotExamined("saturation", "the recipe names no [loss], whose gradient could be computed")
    if not (players := history.players_as("discriminator")):
        return NotExamined("saturation", history.lacks("discriminator"))
    found = [(one, other) for player in players if (both := probabilities_of(history, player)) for one, other in [both]]
    if not found:
        role = history.roles[players[0]]
        return NotExamined("saturation", f"this game logs no {role.real} and {role.fake}")
    for real, fake in found:
        share = relative_gradient(history.loss, real, fake)
        if share is None:
            return NotExamined("saturation", "this loss is not a function of scores alone")
        if share < MIN_RELATIVE_GRADIENT:
            first, last = history.steps
            seen = f"at D(G(z)) {fake:.4f} in steps {first:,} to {last:,} the loss passes on {share:.1%} of what it"
            return vanishing(
                f"{seen} does at 1/2",
                {"passed_on": share, "d_fake": fake},
                ('loss.name = "non-saturating"', *(history.scaled(player, 0.2) for player in players)),
                (first, last),
            )
    return None


def vanished(history: TrainingHistory) -> Outcome:
    """Checks whether a generator's gradient norm has vanished."""
    if not (players := history.players_as("generator")):
        return NotExamined("vanishing gradients", history.lacks("generator"))
    if all(history.typical(f"grad/{player}") is None for player in players):
        return NotExamined("gradients", "this run was made before their norms were logged")
    for player in players:
        norm, peak = history.typical(f"grad/{player}"), history.largest(f"grad/{player}")
        if norm is not None and peak is not None and norm < MIN_NORM_SHARE * peak:
            first, last = history.steps
            slower = (history.scaled(other, 0.2) for other in history.players_as("discriminator"))
            return vanishing(
                f"the {player}'s gradient had a norm of {norm:.2g} in steps {first:,} to {last:,} (once {peak:.2g})",
                {"norm": norm, "largest_norm": peak},
                ('loss.name = "wasserstein"', *slower),
                (first, last),
            )
    return None


def vanishing(seen: str, figures: dict[str, float], change: tuple[str, ...], steps: tuple[int, int]) -> Finding:
    """The finding of both."""
    return Finding(
        name="vanishing-gradients",
        severity="warning",
        seen=seen,
        figures=figures,
        means="The generator is hardly told anything any more, and least where its samples are worst.",
        change=change,
        paper="arXiv:1701.04862",
        steps=steps,
    )


def exploding(history: TrainingHistory) -> Finding | None:
    """Checks for very large gradient norms."""
    norms = {player: history.typical(f"grad/{player}") for player in history.players}
    large = {player: norm for player, norm in norms.items() if norm is not None and norm > MAX_NORM}
    if not large:
        return None
    first, last = history.steps
    worst = max(large, key=lambda player: large[player])
    said = " and ".join(f"{norm:,.0f} for the {player}" for player, norm in large.items())
    changes = [history.scaled(player, 0.1) for player in large]
    if history.scale is None and not history.recipe.regularizers:
        changes.insert(0, 'regularizer = [{ name = "gradient-penalty", weight = 10.0 }]')
    return Finding(
        name="exploding-gradients",
        severity="warning",
        seen=f"the norm of the gradient was {said} in steps {first:,} to {last:,}",
        figures={f"norm_{player}": norm for player, norm in large.items()},
        means=f"Each step of the {worst} goes far beyond where its gradient says anything.",
        change=tuple(changes),
        paper="arXiv:1704.00028",
        steps=(first, last),
    )
