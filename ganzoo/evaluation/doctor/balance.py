"""Balance of the players: is the discriminator too strong or too weak?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import TrainingHistory

MIN_LOSS_SHARE = 0.05
"""Of what guessing costs, the discriminator pays less than this. Twelve healthy runs (five losses, MLPs and
convolutional networks, 1,450 to 18,760 steps) measured 0.16 and more after their beginning, and 0.04 in it; one whose
generator stands still went below 0.01."""

MAX_LOSS_SHARE = 0.995
"""And more than this where it cannot tell. Healthy runs measured 0.84 at most without penalties, and 0.985 under R1 and
R2, which hold scores together on purpose; a discriminator that hardly learned measured 2."""

MIN_PROBABILITY_GAP = 0.01
"""D(x) - D(G(z)) of a discriminator that cannot tell, at most; healthy runs measured 0.02 at least, under R1 and R2.
Penalties are a part of the logged loss, so that the loss alone may look worse than the discriminator is."""


def too_strong(history: TrainingHistory) -> Finding | None:
    """Checks whether the discriminator's loss is far below that of guessing."""
    loss = history.typical("loss/discriminator")
    if history.scale is None or loss is None or (normalised := history.scale.normalised(loss)) >= MIN_LOSS_SHARE:
        return None
    figures = {"loss": loss, "share_of_guessing": normalised}
    said = ""
    if (real := history.typical("d_real")) is not None and (fake := history.typical("d_fake")) is not None:
        figures |= {"d_real": real, "d_fake": fake}
        said = f" (D(x) {real:.3f}, D(G(z)) {fake:.3f})"
    first, last = history.steps
    changes = [history.scaled("discriminator", 0.2)]
    if not history.recipe.regularizers:
        changes.append('regularizer = [{ name = "r1", weight = 5.0 }]')
    if (history.setting("game.n_critic") or 1) > 1:
        changes.insert(0, "game.n_critic = 1")
    return Finding(
        name="discriminator-too-strong",
        severity="warning",
        seen=f"its loss was {loss:.2g} in steps {first:,} to {last:,}, {normalised:.1%} of what guessing costs{said}",
        figures=figures,
        means="It tells every generated sample from every real one: its answers hardly say which way is better.",
        change=tuple(changes),
        paper="arXiv:1701.04862",
        steps=(first, last),
    )


def too_weak(history: TrainingHistory) -> Finding | None:
    """Checks whether the discriminator is no better than guessing."""
    loss, real, fake = (history.typical(name) for name in ("loss/discriminator", "d_real", "d_fake"))
    if history.scale is None or loss is None or real is None or fake is None:
        return None
    normalised = history.scale.normalised(loss)
    if normalised <= MAX_LOSS_SHARE or real - fake >= MIN_PROBABILITY_GAP:
        return None
    first, last = history.steps
    return Finding(
        name="discriminator-too-weak",
        severity="warning",
        seen=f"its loss was {loss:.2g} in steps {first:,} to {last:,}, {normalised:.0%} of what guessing costs "
        f"(D(x) {real:.3f}, D(G(z)) {fake:.3f})",
        figures={"loss": loss, "share_of_guessing": normalised, "d_real": real, "d_fake": fake},
        means="It cannot tell generated samples from real ones, though anybody could: the generator learns from noise.",
        change=(
            raised_learning_rate(history, "discriminator"),
            f"game.n_critic = {max(2, 2 * int(history.setting('game.n_critic') or 1))}",
        ),
        paper="arXiv:1406.2661",
        steps=(first, last),
    )


def raised_learning_rate(history: TrainingHistory, player: str) -> str:
    """A higher learning rate: 2e-4, as most papers use, or twice the present one."""
    rate = history.rate(player)
    return f"optimizer.{player}.lr = {2e-4 if rate < 1e-4 else 2 * rate:.2g}"
