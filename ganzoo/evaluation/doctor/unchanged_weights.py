"""Players that no longer move: optimizers whose state is broken, and weights that hardly change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from ganzoo.evaluation.doctor.balance import raised_learning_rate
from ganzoo.evaluation.doctor.divergence import NEVER_AGAIN, limited_gradients, lowered_learning_rates
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.recipe.freezing import frozen_parameters
from ganzoo.runs.checkpoint import Checkpoint, Tensors, load_checkpoint, step_of
from ganzoo.runs.run import Run

MIN_DISPLACEMENT = 1e-3
"""The share of a player's weights by which they differ from those of an earlier checkpoint, at most. In healthy runs
they differed by 0.05 and more over the last 500 to 1,760 steps of the budget; at lr 1e-7 it was 0.002 in 500."""

MIN_STEPS_BETWEEN = 100
"""The smallest number of steps between the two checkpoints."""


def unchanged_weights(history: TrainingHistory, run: Run) -> Iterator[Finding]:
    """Players that the newest checkpoint can no longer move, and those that moved hardly since the oldest kept one.

    Of a player that is broken or stuck, the cause is given, and not that it stands still as well.
    """
    kept = run.checkpoints.oldest_first()
    if not kept:
        return
    after = load_checkpoint(kept[-1])
    steps = step_of(kept[0]), step_of(kept[-1])
    far_apart = steps[1] - steps[0] >= MIN_STEPS_BETWEEN
    before = load_checkpoint(kept[0]) if len(kept) > 1 else after
    players = run.game.players()
    frozen = frozen_parameters(run.recipe, players)
    for player, module in players.items():
        learning = [name for name, _ in module.named_parameters() if f"{player}.{name}" not in frozen]
        moved = displacement(learning, before.tensors[player], after.tensors[player]) if len(kept) > 1 else None
        if broken := non_finite(after.tensors[player], learning):
            yield broken_weights(history, player, broken, steps)
        elif stuck := non_finite(after.tensors.get(f"optimizer-{player}", {})):
            yield frozen_player(history, player, stuck, after, moved, steps)
        elif learning and far_apart and moved is not None and moved < MIN_DISPLACEMENT:
            yield standstill(history, player, moved, steps)


def standstill(history: TrainingHistory, player: str, moved: float, steps: tuple[int, int]) -> Finding:
    """The player's weights hardly changed between two checkpoints."""
    gap = steps[1] - steps[0]
    return Finding(
        name="standstill",
        severity="failure",
        seen=f"the {player}'s weights changed by {moved:.2g} of their size in the {gap:,} steps to {steps[1]:,}",
        figures={"moved": moved, "steps": gap},
        means=f"The {player} learns nothing: whatever the other player does, this one does not answer.",
        change=(raised_learning_rate(history, player),),
        paper="arXiv:1412.6980",
        steps=steps,
    )


def frozen_player(
    history: TrainingHistory,
    player: str,
    stuck: list[str],
    checkpoint: Checkpoint,
    moved: float | None,
    steps: tuple[int, int],
) -> Finding:
    """The player's optimizer holds numbers that are not finite. stuck: the names of these tensors."""
    parts = sorted({name.partition(".")[2] for name in stuck})
    values = len(checkpoint.tensors[player])
    seen = f"at step {steps[1]:,} {' and '.join(parts)} of the {player}'s optimizer is not finite"
    seen += f" for {len({name.partition('.')[0] for name in stuck})} of its {values} tensors"
    figures: dict[str, float] = {"tensors": len(stuck)}
    if moved is not None:
        seen += f"; its weights changed by {moved:.2g} of their size since step {steps[0]:,}"
        figures["moved"] = moved
    return Finding(
        name="frozen-player",
        severity="failure",
        seen=seen,
        figures=figures,
        means=NEVER_AGAIN.format(player=player),
        change=(limited_gradients(player), *lowered_learning_rates(history)),
        paper="arXiv:1412.6980",
        steps=steps,
    )


def broken_weights(history: TrainingHistory, player: str, names: list[str], steps: tuple[int, int]) -> Finding:
    """The player's weights are not finite. names: of these parameters."""
    return Finding(
        name="divergence",
        severity="failure",
        seen=f"at step {steps[1]:,} {len(names)} of the {player}'s weight tensors are not finite ({names[0]} for one)",
        figures={"tensors": len(names)},
        means="A step was so large that numbers overflowed, and everything computed from them is lost.",
        change=lowered_learning_rates(history),
        paper="arXiv:1606.03498",
        steps=steps,
    )


def non_finite(tensors: Tensors, names: Iterable[str] | None = None) -> list[str]:
    """The names of the tensors that hold NaN or infinity. Single numbers are left out: an optimizer may begin so."""
    return [
        name
        for name in (tensors if names is None else names)
        if name in tensors and tensors[name].is_floating_point() and tensors[name].ndim
        if not bool(torch.isfinite(tensors[name]).all())
    ]


def displacement(parameters: Iterable[str], before: Tensors, after: Tensors) -> float:
    """The distance of the parameters of these names from earlier ones, relative to their norm."""
    names = [name for name in parameters if name in before and name in after]
    residuals = sum(float((after[name].double() - before[name].double()).square().sum()) for name in names)
    size = sum(float(before[name].double().square().sum()) for name in names)
    return float((residuals / max(size, 1e-30)) ** 0.5)
