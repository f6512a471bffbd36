"""Rounds as CUDA graphs: captured once and replayed several at a time, without work on the host."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganzoo.core.loop import play_round
from ganzoo.recipe.shape_errors import error_summary
from ganzoo.training.device_data import DeviceData
from ganzoo.training.runners.batch_feed import BufferedBatchFeed, IndexedBatchFeed
from ganzoo.training.runners.compiled import CompiledNetworksRunner
from ganzoo.training.runners.cuda_graphs import GraphCapture, Work
from ganzoo.training.runners.eager import EagerRunner
from ganzoo.training.runners.operation_recorder import OperationRecorder
from ganzoo.training.runners.runner import Runner
from ganzoo.training.stopping import Interrupted

if TYPE_CHECKING:
    from ganzoo.training.state import Training

MAX_ROUNDS_PER_GRAPH = 16
"""A launch costs the device about ten microseconds, which this many rounds share."""

ROUNDS_BEFORE_WARNING = 1000
"""Rounds without a capture after which the run warns."""

Phase = tuple[tuple[tuple[str, bytes], ...], int]
"""What determines the operations of a round besides tensors on the device: the extra state of the game's modules (such
as a lazy penalty's counter or the fill level of an image pool), and the position in the interval of EMA updates."""


@dataclass(slots=True)
class HostState:
    """Everything that a round changes on the host."""

    step: int
    feed: tuple[int, int]
    counts: dict[str, int]
    extra: dict[str, Tensor]


@dataclass(slots=True)
class CapturedGraph:
    """Captured rounds, and what they change on the host."""

    replay: Work
    rounds: int
    counts: dict[str, int]
    extra: dict[str, Tensor]


class CapturedRoundsRunner(Runner):
    """Replays captured graphs of rounds. compiled: the runner whose compiled networks are captured, if any.

    Rounds are captured after two rounds of each of their phases (see `Phase`) were played normally, as steps of the
    run. The first is recorded operation by operation, and if one of them cannot be captured, another runner takes over.
    The second initialises lazily created state (optimizer state, compiled networks, library handles). Capturing
    executes nothing.

    What changes between replays is read from device memory: batches by a counter (`IndexedBatchFeed`), learning rates
    and EMA coefficients from `scalars`, noise from the device's random generator.
    """

    name = "cudagraph"
    max_rounds_per_graph = MAX_ROUNDS_PER_GRAPH

    def __init__(
        self, training: Training, reason: str, capture: GraphCapture, compiled: CompiledNetworksRunner | None = None
    ) -> None:
        super().__init__(training, reason)
        self.compiled = compiled
        self.game = compiled.game if compiled else training.game
        self.capture = capture
        self.draws = training.draws
        self.rounds_per_graph = rounds_per_graph(training, self.max_rounds_per_graph)
        data, draws = training.data, self.draws * self.rounds_per_graph
        self.feed = IndexedBatchFeed(data, draws) if isinstance(data, DeviceData) else BufferedBatchFeed(data, draws)
        self.lr_groups = [
            (player, number)
            for player in training.players.values()
            if player.schedule is not None
            for number in range(len(player.optimizer.param_groups))
        ]
        self.scalars = torch.zeros(self.rounds_per_graph, len(self.lr_groups) + 2, device=training.device)
        self.written_scalars: list[list[float]] = []
        self.modules = dict(training.game.named_modules())
        self.next_phase: dict[Phase, Phase] = {}
        self.phase_counts = Counter[Phase]()
        self.graphs: dict[tuple[Phase, int], CapturedGraph] = {}
        for player in training.players.values():
            make_capturable(player.optimizer, training.device)

    def advance(self, max_rounds: int) -> None:
        """Replays the rounds of a graph, or plays one round normally if it cannot be captured yet."""
        rounds = self.rounds_per_graph if max_rounds >= self.rounds_per_graph else 1
        key = (self.phase(), rounds)
        if key not in self.graphs and not self.can_capture(*key):
            self.play_uncaptured()
            return
        drawn = self.training.data.drawn
        self.feed.prepare(self.draws * rounds)
        self.write_scalars(rounds)
        if key not in self.graphs:
            graph = self.try_capture(rounds)
            if self.training.interruption and self.training.interruption.stop_requested:
                self.training.data.seek(drawn)
                raise Interrupted  # even if compiling succeeded: an interrupted compiler may have skipped optimisations
            if isinstance(graph, str):
                self.training.data.seek(drawn)
                self.fall_back(f"a round could not be captured: {graph}")
                self.training.runner.advance(1)
                return
            self.graphs[key] = graph
        self.replay(self.graphs[key])

    def try_capture(self, rounds: int) -> CapturedGraph | str:
        """Captured rounds, or the first line of the error that capturing raised."""
        try:
            return self.capture_rounds(rounds)
        except RuntimeError as error:
            return error_summary(error)

    def play_uncaptured(self) -> None:
        """Plays one round normally, with the inputs in the places where a captured round reads them."""
        before, step = self.phase(), self.training.step
        self.feed.prepare(self.draws)
        self.write_scalars(1)
        if self.phase_counts[before]:
            self.capture.run(lambda: self.play_rounds(1))
        else:
            with torch.compiler.set_stance("force_eager"), OperationRecorder() as recording:
                self.capture.run(lambda: self.play_rounds(1))
            for operation, why in recording.obstacles.items():
                self.fall_back(f"{operation} cannot be captured: {why}.")
                break
        if self.training.averages:
            self.training.averages.count(self.ema_updates(step, self.training.step))
        self.next_phase[before] = self.phase()
        self.phase_counts[before] += 1
        if not self.graphs and self.phase_counts.total() == ROUNDS_BEFORE_WARNING:
            warnings.warn(
                f"runner {self.name}: no two of the first {ROUNDS_BEFORE_WARNING:,} rounds were alike, and none could "
                "be captured: the game counts something in its extra state that never returns to an earlier value.",
                stacklevel=2,
            )

    def play_rounds(self, number: int) -> None:
        """The work of `number` rounds, which is run directly or captured."""
        training = self.training
        for row in range(number):
            for column, (player, group) in enumerate(self.lr_groups):
                player.optimizer.param_groups[group]["lr"] = self.scalars[row, column]
            play_round(self.game, self.feed, training.players, training.means, training.autocast)
            training.step += 1
            if training.averages and training.step % training.averages.every == 0:
                training.averages.update_by_tensors(self.scalars[row, -2], self.scalars[row, -1])

    def capture_rounds(self, number: int) -> CapturedGraph:
        """Captures `number` rounds without executing them, and restores the host state. Raises: RuntimeError."""
        before, buffers = self.host_state(), dict(self.buffers())
        try:
            replay = self.capture.capture(lambda: self.play_rounds(number))
            after = self.host_state()
            for (module, name), buffer in buffers.items():
                if getattr(module, name) is not buffer:
                    setattr(module, name, buffer)
                    raise RuntimeError(f"{type(module).__name__} has another tensor as its buffer {name} after it.")
            return CapturedGraph(
                replay,
                rounds=number,
                counts={name: n - before.counts.get(name, 0) for name, n in after.counts.items()},
                extra=after.extra,
            )
        finally:
            self.set_host_state(before)

    def replay(self, graph: CapturedGraph) -> None:
        """Replays a graph, and updates the host state as its rounds would have."""
        step, after = self.training.step, self.host_state()
        after.step += graph.rounds
        after.feed = self.feed.advanced(after.feed, self.draws * graph.rounds)
        after.counts = {name: after.counts.get(name, 0) + n for name, n in graph.counts.items()}
        after.extra = graph.extra
        graph.replay()
        self.set_host_state(after)
        if self.training.averages:
            self.training.averages.count(self.ema_updates(step, after.step))

    def can_capture(self, phase: Phase, rounds: int) -> bool:
        """Whether two rounds were played of each phase that `rounds` rounds starting in `phase` go through."""
        for _ in range(rounds):
            if self.phase_counts[phase] < 2:
                return False
            phase = self.next_phase[phase]
        return True

    def phase(self) -> Phase:
        """The phase of the next round."""
        every = self.training.averages.every if self.training.averages else 1
        extra = tuple((name, state.numpy().tobytes()) for name, state in self.extra_state().items())
        return extra, self.training.step % every

    def extra_state(self) -> dict[str, Tensor]:
        """The extra state of the game's modules, by their names."""
        kept = {}
        for name, module in self.modules.items():
            if type(module).get_extra_state is not nn.Module.get_extra_state:
                kept[name] = module.get_extra_state().clone()
        return kept

    def buffers(self) -> Iterator[tuple[tuple[nn.Module, str], Tensor]]:
        """Every buffer of the game, with its module and name."""
        for module in self.modules.values():
            for name, buffer in module.named_buffers(recurse=False):
                yield (module, name), buffer

    def host_state(self) -> HostState:
        """The present host state."""
        return HostState(self.training.step, self.feed.state, dict(self.training.means.counts), self.extra_state())

    def set_host_state(self, host_state: HostState) -> None:
        """Overwrites the host state."""
        self.training.step, self.feed.state = host_state.step, host_state.feed
        self.training.means.counts = dict(host_state.counts)
        for name, state in host_state.extra.items():
            self.modules[name].set_extra_state(state)

    def write_scalars(self, rounds: int) -> None:
        """Copies the scalars of the next rounds to the device, if they differ from those there."""
        training = self.training
        rows = [self.scalars_of_round(training.step + number, training) for number in range(rounds)]
        if rows != self.written_scalars[:rounds]:
            there = torch.tensor(rows, dtype=torch.float32, pin_memory=training.device.type == "cuda")
            self.scalars[:rounds].copy_(there, non_blocking=True)  # the allocator keeps pinned memory until it is read
            self.written_scalars = rows

    def scalars_of_round(self, step: int, training: Training) -> list[float]:
        """The scalars of one round: learning rates, and the two coefficients of the EMA update after it."""
        rates = [player.rates(step / training.total_steps)[group] for player, group in self.lr_groups]
        averages = training.averages
        if not averages or (step + 1) % averages.every:
            return [*rates, 0.0, 0.0]
        first = averages.updates + self.ema_updates(training.step, step) == 0
        return [*rates, *averages.coefficients(step + 1, first=first)]

    def ema_updates(self, since: int, step: int) -> int:
        """The number of EMA updates between two steps."""
        every = self.training.averages.every if self.training.averages else math.inf
        return int(step // every - since // every)

    def fall_back(self, why: str) -> None:
        """Switches the rest of the run to the runner without graphs, with a warning."""
        warnings.warn(
            f"runner {self.name}: {why} Going on with {self.compiled.name if self.compiled else 'eager'}.", stacklevel=2
        )
        training = self.training
        for player in training.players.values():
            for group, rate in zip(player.optimizer.param_groups, player.base_rates, strict=True):
                group["lr"] = rate
        training.runner = self.compiled or EagerRunner(training, f"{self.name} was asked for: {why}")

    def evaluation_context(self) -> AbstractContextManager[object]:
        """Networks run eagerly, if any is compiled."""
        return self.compiled.evaluation_context() if self.compiled else nullcontext()


def rounds_per_graph(training: Training, limit: int = MAX_ROUNDS_PER_GRAPH) -> int:
    """The largest number of rounds up to `limit` that divides every interval of rows, grids and checkpoints."""
    train = training.recipe.train
    every = math.gcd(
        *(interval for interval in (train.log_every, train.sample_every, train.checkpoint_every) if interval)
    )
    whole = every or training.total_steps
    return next(rounds for rounds in range(min(limit, whole), 0, -1) if whole % rounds == 0)


def make_capturable(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Makes an optimizer count its steps on the device, if it can: a captured step runs no code on the host."""
    if device.type != "cuda":
        return
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = True
    for state in optimizer.state.values():
        if isinstance(state.get("step"), Tensor):
            state["step"] = state["step"].to(device, torch.float32)
