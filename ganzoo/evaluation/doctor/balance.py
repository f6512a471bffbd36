"""Balance of the players: is the discriminator too strong or too weak?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
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


def too_strong(history: TrainingHistory) -> Outcome:
    """Checks whether a discriminator's loss is far below that of guessing."""
    if history.scale is None:
        return NotExamined("balance", no_scale(history))
    if not (players := history.players_as("discriminator")):
        return NotExamined("balance", history.lacks("discriminator"))
    for player in players:
        share = share_of_guessing(history, player)
        if share is not None and share < MIN_LOSS_SHARE:
            return strong(history, player, share)
    return None


def strong(history: TrainingHistory, player: str, share: float) -> Finding:
    """The player's loss is so small a share of what guessing costs."""
    loss = history.typical(f"loss/{player}") or 0.0
    figures = {"loss": loss, "share_of_guessing": share}
    said = ""
    if (probabilities := probabilities_of(history, player)) is not None:
        real, fake = probabilities
        figures |= {"d_real": real, "d_fake": fake}
        said = f" (D(x) {real:.3f}, D(G(z)) {fake:.3f})"
    first, last = history.steps
    changes = [history.scaled(player, 0.2)]
    if not history.recipe.regularizers:
        changes.append('regularizer = [{ name = "r1", weight = 5.0 }]')
    if (history.setting("game.n_critic") or 1) > 1:
        changes.insert(0, "game.n_critic = 1")
    return Finding(
        name="discriminator-too-strong",
        severity="warning",
        seen=f"{whose(player)} loss was {loss:.2g} in steps {first:,} to {last:,}, {share:.1%} of what guessing "
        f"costs{said}",
        figures=figures,
        means="It tells every generated sample from every real one: its answers hardly say which way is better.",
        change=tuple(changes),
        paper="arXiv:1701.04862",
        steps=(first, last),
    )


def too_weak(history: TrainingHistory, difference: str | None) -> Outcome:
    """Checks whether a discriminator is no better than guessing though samples differ from data.

    difference: how they differ, in words, empty where they do not; None where they were not examined. In the
    equilibrium of the game D(x) = D(G(z)) (arXiv:1406.2661, Theorem 1): guessing is a weakness only before that.
    """
    if history.scale is None or not (players := history.players_as("discriminator")):
        return None  # `too_strong` says why
    if not history.recent:
        return None
    if not any(probabilities_of(history, player) for player in players):
        logged = " and ".join(dict.fromkeys(n for p in players for n in (history.roles[p].real, history.roles[p].fake)))
        return NotExamined("balance", f"this game logs no {logged}, so that guessing is not seen")
    guessing = [player for player in players if guesses(history, player)]
    if guessing and difference is None:
        what = f"the {' and the '.join(guessing)} can tell real samples from generated ones no better than by guessing"
        return NotExamined("balance", f"{what}, which is a weakness only where samples differ from data")
    return weak(history, guessing[0], difference) if guessing and difference else None


def guesses(history: TrainingHistory, player: str) -> bool:
    """Whether the player's loss is that of guessing, and its probabilities are those of guessing, too."""
    share, probabilities = share_of_guessing(history, player), probabilities_of(history, player)
    if share is None or probabilities is None:
        return False
    real, fake = probabilities
    return share > MAX_LOSS_SHARE and real - fake < MIN_PROBABILITY_GAP


def weak(history: TrainingHistory, player: str, difference: str) -> Finding:
    """The player guesses, though samples differ from data as `difference` says."""
    loss, share = history.typical(f"loss/{player}") or 0.0, share_of_guessing(history, player) or 0.0
    real, fake = probabilities_of(history, player) or (0.0, 0.0)
    first, last = history.steps
    return Finding(
        name="discriminator-too-weak",
        severity="warning",
        seen=f"{whose(player)} loss was {loss:.2g} in steps {first:,} to {last:,}, {share:.0%} of what guessing costs "
        f"(D(x) {real:.3f}, D(G(z)) {fake:.3f}), though {difference}",
        figures={"loss": loss, "share_of_guessing": share, "d_real": real, "d_fake": fake},
        means="It cannot tell generated samples from real ones, though they differ: the generator learns from noise.",
        change=(
            raised_learning_rate(history, player),
            f"game.n_critic = {max(2, 2 * int(history.setting('game.n_critic') or 1))}",
        ),
        paper="arXiv:1406.2661",
        steps=(first, last),
    )


def share_of_guessing(history: TrainingHistory, player: str) -> float | None:
    """The player's typical loss: 0 for a perfect discriminator, 1 for guessing; None where it cannot be said."""
    loss = history.typical(f"loss/{player}")
    if history.scale is None or loss is None:
        return None
    return history.scale.normalised(loss / history.roles[player].losses)


def probabilities_of(history: TrainingHistory, player: str) -> tuple[float, float] | None:
    """The typical D(x) and D(G(z)) that the player's moves log; None where they do not."""
    role = history.roles[player]
    real, fake = history.typical(role.real), history.typical(role.fake)
    return None if real is None or fake is None else (real, fake)


def no_scale(history: TrainingHistory) -> str:
    """Why losses cannot be compared with what guessing costs."""
    if history.loss is None:
        return "the recipe names no [loss], whose values would have a scale"
    return "this loss has no smallest value, as a critic's: none is too small"


def whose(player: str) -> str:
    """The beginning of a sentence on a player: "its" of the discriminator that the finding's name names."""
    return "its" if player == "discriminator" else f"the {player}'" + ("" if player.endswith("s") else "s")


def raised_learning_rate(history: TrainingHistory, player: str) -> str:
    """A higher learning rate: 2e-4, as most papers use, or twice the present one."""
    rate = history.rate(player)
    return f"optimizer.{player}.lr = {2e-4 if rate < 1e-4 else 2 * rate:.2g}"
