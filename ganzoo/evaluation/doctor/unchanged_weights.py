"""Does a player move at all?"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ganzoo.evaluation.doctor.balance import raised
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course
from ganzoo.runs.checkpoint import Tensors, checkpoints_of, load_checkpoint, step_of
from ganzoo.runs.run import Run

STILL = 1e-3
"""The share of a player's weights by which they differ from those of an earlier checkpoint, at most. In healthy runs
they differed by 0.05 and more over the last 500 to 1,760 steps of the budget; at lr 1e-7 it was 0.002 in 500."""

APART = 100
"""Steps that must lie between the two checkpoints, so that the player had the time."""


def standing_still(course: Course, run: Run) -> Iterator[Finding]:
    """Players whose weights are as good as those of the oldest checkpoint that is kept."""
    kept = checkpoints_of(run.files.checkpoints)
    if not kept or (gap := step_of(kept[-1]) - step_of(kept[0])) < APART:
        return
    before, after = load_checkpoint(kept[0]).tensors, load_checkpoint(kept[-1]).tensors
    for player, module in run.game.players().items():
        moved = displacement(module, before[player], after[player])
        if moved >= STILL:
            continue
        yield Finding(
            name="standstill",
            severity="failure",
            seen=f"the {player}'s weights changed by {moved:.2g} of their size in the {gap:,} steps "
            f"to {step_of(kept[-1]):,}",
            figures={"moved": moved, "steps": gap},
            means=f"The {player} learns nothing: whatever the other player does, this one does not answer.",
            change=(raised(course, player),),
            paper="arXiv:1412.6980",
            steps=(step_of(kept[0]), step_of(kept[-1])),
        )


def displacement(module: nn.Module, before: Tensors, after: Tensors) -> float:
    """How far a module's parameters are from where they were, as a share of their size. Buffers are not learned."""
    names = [name for name, parameter in module.named_parameters() if name in before and name in after]
    away = sum(float((after[name].double() - before[name].double()).square().sum()) for name in names)
    size = sum(float(before[name].double().square().sum()) for name in names)
    return float((away / max(size, 1e-30)) ** 0.5)
