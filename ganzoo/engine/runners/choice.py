"""Which runner plays a run, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo.engine.runners.eager import Eager
from ganzoo.engine.runners.runner import Runner

if TYPE_CHECKING:
    from ganzoo.training import Training


def choose_runner(training: Training) -> Runner:
    """The runner for `[train] runner`, or one that can play this game where that one cannot."""
    if training.recipe.train.runner == "eager":
        return Eager(training, "the recipe says so")
    return Eager(training, "the only one there is")
