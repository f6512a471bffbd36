"""Unchanged weights: does every player move?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ganzoo.evaluation.doctor.balance import raised_learning_rate
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.recipe.freezing import frozen_parameters
from ganzoo.runs.checkpoint import Tensors, load_checkpoint, step_of
from ganzoo.runs.run import Run

MIN_DISPLACEMENT = 1e-3
"""The share of a player's weights by which they differ from those of an earlier checkpoint, at most. In healthy runs
they differed by 0.05 and more over the last 500 to 1,760 steps of the budget; at lr 1e-7 it was 0.002 in 500."""

MIN_STEPS_BETWEEN = 100
"""The smallest number of steps between the two checkpoints."""


def unchanged_weights(history: TrainingHistory, run: Run) -> Iterator[Finding]:
    """Players whose weights hardly differ from those of the oldest kept checkpoint."""
    kept = run.checkpoints.oldest_first()
    if not kept or (gap := step_of(kept[-1]) - step_of(kept[0])) < MIN_STEPS_BETWEEN:
        return
    before, after = load_checkpoint(kept[0]).tensors, load_checkpoint(kept[-1]).tensors
    players = run.game.players()
    frozen = frozen_parameters(run.recipe, players)
    for player, module in players.items():
        learning = [name for name, _ in module.named_parameters() if f"{player}.{name}" not in frozen]
        moved = displacement(learning, before[player], after[player])
        if moved >= MIN_DISPLACEMENT:
            continue
        yield Finding(
            name="standstill",
            severity="failure",
            seen=f"the {player}'s weights changed by {moved:.2g} of their size in the {gap:,} steps "
            f"to {step_of(kept[-1]):,}",
            figures={"moved": moved, "steps": gap},
            means=f"The {player} learns nothing: whatever the other player does, this one does not answer.",
            change=(raised_learning_rate(history, player),),
            paper="arXiv:1412.6980",
            steps=(step_of(kept[0]), step_of(kept[-1])),
        )


def displacement(parameters: Iterable[str], before: Tensors, after: Tensors) -> float:
    """The distance of the parameters of these names from earlier ones, relative to their norm."""
    names = [name for name in parameters if name in before and name in after]
    residuals = sum(float((after[name].double() - before[name].double()).square().sum()) for name in names)
    size = sum(float(before[name].double().square().sum()) for name in names)
    return float((residuals / max(size, 1e-30)) ** 0.5)
