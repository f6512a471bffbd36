"""Which runner plays a run, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ganzoo.training.runners.eager import Eager
from ganzoo.training.runners.runner import CannotPlay, Runner

if TYPE_CHECKING:
    from ganzoo.training.state import Training

STEPS, SECONDS = 20_000, 600
"""A run's budget from which on `auto` compiles: that takes a quarter of a minute to several."""

SAID = "the recipe says so"


def choose_runner(training: Training, say: Callable[[str], None] = lambda _: None) -> Runner:
    """The runner for `[train] runner`, or one that can play this game here where that one cannot, with the reason.

    say: told of what takes a while. It may play rounds, which leave no trace.
    """
    asked, device = training.recipe.train.runner, training.device
    if asked == "eager":
        return Eager(training, SAID)
    if training.ranks.several:
        why = "several ranks average gradients between a move's way back and its update"
        return Eager(training, why if asked == "auto" else f"{asked} was asked for: {why}")
    if training.recipe.train.checkpoint_activations:
        return Eager(training, f"{asked} was asked for, and eager alone computes activations a second time")
    if asked == "auto":
        budget, long = budget_of(training)
        if device.type == "cuda":
            return _captured(training, say, f"a {device.type} device waits for nobody then", compiled=long)
        if device.type == "cpu" and long:
            return _whole(training, say, f"{budget} are worth compiling a step")
        return Eager(training, f"{budget} are not worth compiling a step")
    if asked == "compile" and device.type == "cpu":
        return _whole(training, say, SAID)
    if asked == "compile":
        try:
            return _compiled(training, say, SAID)
        except CannotPlay as error:
            return Eager(training, f"compile was asked for: {error}")
    if device.type != "cuda":
        return Eager(training, f"cudagraph was asked for: a {device.type} has no CUDA graphs")
    return _captured(training, say, SAID, compiled=True)


def budget_of(training: Training) -> tuple[str, bool]:
    """A run's whole budget in words, and whether it is long enough to compile.

    Whatever is done of it: a run that is resumed is played as it was before.
    """
    stop = training.recipe.train.stop
    if stop and stop.seconds is not None:
        return f"{stop.seconds:g} seconds", min(stop.seconds / SECONDS, training.total_steps / STEPS) >= 1
    return f"{training.total_steps:,} steps", training.total_steps >= STEPS


def _compiled(training: Training, say: Callable[[str], None], reason: str) -> Runner:
    from ganzoo.training.runners.compiled import Compiled

    say("compiling the networks")
    return Compiled(training, reason)


def _whole(training: Training, say: Callable[[str], None], reason: str) -> Runner:
    from ganzoo.training.runners.compiled_rounds import CompiledRounds

    say("the second step is compiled, which takes a while")
    return CompiledRounds(training, reason)


def _captured(training: Training, say: Callable[[str], None], reason: str, *, compiled: bool) -> Runner:
    from ganzoo.training.runners.compiled import Compiled
    from ganzoo.training.runners.cuda_graph_rounds import Captured
    from ganzoo.training.runners.cuda_graphs import CudaCapture

    networks = None
    if compiled:
        try:
            say("compiling the networks")
            networks = Compiled(training, f"{reason}; networks compiled")
            reason = networks.reason
        except CannotPlay as error:
            reason += f"; networks not compiled: {error}"
    moved = [each for player in training.players.values() for each in player.parameters]
    return Captured(training, reason, CudaCapture(training.device, moved), networks)
