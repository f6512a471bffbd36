"""Chooses the runner of a run, with a reason to show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ganzoo.training.runners.eager import EagerRunner
from ganzoo.training.runners.runner import Runner, UnsupportedByRunner

if TYPE_CHECKING:
    from ganzoo.training.state import Training

MIN_STEPS_TO_COMPILE, MIN_SECONDS_TO_COMPILE = 20_000, 600
"""Budgets from which on `auto` compiles, which takes from 15 seconds to several minutes."""

REQUESTED = "the recipe says so"


def choose_runner(training: Training, report_progress: Callable[[str], None] = lambda _: None) -> Runner:
    """The runner that `[train] runner` names, or another, with the reason, where that one does not support the run.

    Choosing may play rounds, whose effects are undone. report_progress: called with a message before slow operations.
    """
    requested, device = training.recipe.train.runner, training.device
    if requested == "eager":
        return EagerRunner(training, REQUESTED)
    if training.ranks.several:
        why = "several ranks average gradients between a move's backward pass and its update"
        return EagerRunner(training, why if requested == "auto" else f"{requested} was asked for: {why}")
    if training.recipe.train.checkpoint_activations:
        return EagerRunner(training, f"{requested} was asked for, and eager alone computes activations a second time")
    if requested == "auto":
        budget, long = training_budget(training)
        if device.type == "cuda":
            return _cuda_graphs(
                training, report_progress, f"a {device.type} device then never waits for the host", compiled=long
            )
        if device.type == "cpu" and long:
            return _compiled_rounds(training, report_progress, f"{budget} are worth compiling a step")
        return EagerRunner(training, f"{budget} are not worth compiling a step")
    if requested == "compile" and device.type == "cpu":
        return _compiled_rounds(training, report_progress, REQUESTED)
    if requested == "compile":
        try:
            return _compiled_networks(training, report_progress, REQUESTED)
        except UnsupportedByRunner as error:
            return EagerRunner(training, f"compile was asked for: {error}")
    if device.type != "cuda":
        return EagerRunner(training, f"cudagraph was asked for: a {device.type} has no CUDA graphs")
    return _cuda_graphs(training, report_progress, REQUESTED, compiled=True)


def training_budget(training: Training) -> tuple[str, bool]:
    """A run's whole budget as text, and whether it is long enough for compiling to pay off.

    The steps already done make no difference, so that a resumed run gets the same runner as before.
    """
    stop = training.recipe.train.stop
    if stop and stop.seconds is not None:
        long = stop.seconds >= MIN_SECONDS_TO_COMPILE and training.total_steps >= MIN_STEPS_TO_COMPILE
        return f"{stop.seconds:g} seconds", long
    return f"{training.total_steps:,} steps", training.total_steps >= MIN_STEPS_TO_COMPILE


def _compiled_networks(training: Training, report_progress: Callable[[str], None], reason: str) -> Runner:
    from ganzoo.training.runners.compiled import CompiledNetworksRunner

    report_progress("compiling the networks")
    return CompiledNetworksRunner(training, reason)


def _compiled_rounds(training: Training, report_progress: Callable[[str], None], reason: str) -> Runner:
    from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner

    report_progress("the second step is compiled, which takes a while")
    return CompiledRoundsRunner(training, reason)


def _cuda_graphs(training: Training, report_progress: Callable[[str], None], reason: str, *, compiled: bool) -> Runner:
    from ganzoo.training.runners.compiled import CompiledNetworksRunner
    from ganzoo.training.runners.cuda_graph_rounds import CapturedRoundsRunner
    from ganzoo.training.runners.cuda_graphs import CudaGraphCapture

    networks = None
    if compiled:
        try:
            report_progress("compiling the networks")
            networks = CompiledNetworksRunner(training, f"{reason}; networks compiled")
            reason = networks.reason
        except UnsupportedByRunner as error:
            reason += f"; networks not compiled: {error}"
    parameters = [parameter for player in training.players.values() for parameter in player.parameters]
    return CapturedRoundsRunner(training, reason, CudaGraphCapture(training.device, parameters), networks)
