"""Vanishing and exploding gradients."""

from __future__ import annotations

from ganzoo.evaluation.doctor.finding import Finding
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


def vanishing(history: TrainingHistory) -> Finding | None:
    """Checks whether the generator's loss saturates, or its gradient norm has vanished."""
    norm, peak = history.typical("grad/generator"), history.largest("grad/generator")
    real, fake = history.typical("d_real"), history.typical("d_fake")
    share = (
        relative_gradient(history.loss, real, fake) if history.loss and real is not None and fake is not None else None
    )
    saturated = share is not None and share < MIN_RELATIVE_GRADIENT
    vanished = norm is not None and peak is not None and norm < MIN_NORM_SHARE * peak
    if not (saturated or vanished):
        return None
    first, last = history.steps
    figures: dict[str, float] = {}
    said: list[str] = []
    if norm is not None and peak is not None:
        figures |= {"norm": norm, "largest_norm": peak}
        said.append(
            f"the generator's gradient had a norm of {norm:.2g} in steps {first:,} to {last:,} (once {peak:.2g})"
        )
    if saturated and share is not None and fake is not None:
        figures |= {"passed_on": share, "d_fake": fake}
        said.append(f"at D(G(z)) {fake:.4f} the loss passes on {share:.1%} of what it does at 1/2")
    changes = ['loss.name = "non-saturating"', history.scaled("discriminator", 0.2)]
    return Finding(
        name="vanishing-gradients",
        severity="warning",
        seen="; ".join(said),
        figures=figures,
        means="The generator is hardly told anything any more, and least where its samples are worst.",
        change=tuple(changes if saturated else reversed([*changes[1:], 'loss.name = "wasserstein"'])),
        paper="arXiv:1701.04862",
        steps=(first, last),
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
