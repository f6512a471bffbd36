"""Does a player still get a gradient, and one that it can use?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course
from ganzoo.evaluation.doctor.scale import passed_on

PASSED_ON = 0.05
"""Of its gradient a saturating loss passes on less than this where D(G(z)) is below 0.025. Losses that do not saturate
pass on more than they do at D = 1/2 (up to twice as much), however strong the discriminator."""

FADED = 0.01
"""Of the largest norm that it ever had, a gradient has less than this. In healthy runs the generator's norm grows."""

EXPLODED = 1000.0
"""A norm over this, in the middle of the recent rows. Healthy runs measured 0.2 to 130 (a hinge loss's discriminator;
80 for a generator in its beginning under a gradient penalty); with a critic that nothing holds back it was 1,700."""


def vanishing(course: Course) -> Finding | None:
    """The generator gets no gradient any more: its loss saturates, or one of the networks lets none through."""
    norm, peak = course.typical("grad/generator"), course.largest("grad/generator")
    real, fake = course.typical("d_real"), course.typical("d_fake")
    share = passed_on(course.loss, real, fake) if course.loss and real is not None and fake is not None else None
    saturated = share is not None and share < PASSED_ON
    faded = norm is not None and peak is not None and norm < FADED * peak
    if not (saturated or faded):
        return None
    first, last = course.steps
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
    changes = ['loss.name = "non-saturating"', course.scaled("discriminator", 0.2)]
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


def exploding(course: Course) -> Finding | None:
    """A player's gradient is so large that its steps go anywhere."""
    norms = {player: course.typical(f"grad/{player}") for player in course.players}
    large = {player: norm for player, norm in norms.items() if norm is not None and norm > EXPLODED}
    if not large:
        return None
    first, last = course.steps
    worst = max(large, key=lambda player: large[player])
    said = " and ".join(f"{norm:,.0f} for the {player}" for player, norm in large.items())
    changes = [course.scaled(player, 0.1) for player in large]
    if course.scale is None and not course.recipe.regularizers:
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
