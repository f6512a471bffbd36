"""Rounds as CUDA graphs: captured once, replayed several at a time, with nothing left for the host to do."""

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
from ganzoo.training.device_data import DeviceData
from ganzoo.training.runners.batch_feed import BufferFeed, OrderFeed
from ganzoo.training.runners.compiled import Compiled
from ganzoo.training.runners.cuda_graphs import Capture, Play
from ganzoo.training.runners.eager import Eager
from ganzoo.training.runners.operation_recorder import Recording
from ganzoo.training.runners.runner import Runner
from ganzoo.training.stopping import Interrupted

if TYPE_CHECKING:
    from ganzoo.training.state import Training

STRIDE = 16
"""Rounds in a graph at most. A launch costs the device some ten microseconds, which so many rounds share."""

PATIENCE = 1000
"""Rounds without a single capture after which the run says so."""

Phase = tuple[tuple[tuple[str, bytes], ...], int]
"""What decides which operations a round does, apart from tensors on the device: what the game's modules keep as extra
state (that a penalty is due at every third move, how full a pool of images is), and whether averages are due."""


@dataclass(slots=True)
class Host:
    """All that a round changes on the host."""

    step: int
    feed: tuple[int, int]
    counts: dict[str, int]
    extra: dict[str, Tensor]


@dataclass(slots=True)
class Graph:
    """Rounds that were captured, with what they change on the host."""

    replay: Play
    rounds: int
    counts: dict[str, int]
    extra: dict[str, Tensor]


class Captured(Runner):
    """Plays rounds by graphs. compiled: holds the networks that are compiled before.

    Rounds are captured once two like each of them (see `Phase`) were played as they come. Those are steps of training
    as any other. The first is watched: what it does that no graph can hold ends the matter. The second sets up what
    is set up once (an optimizer's averages, compiled networks, libraries' handles). Capturing plays nothing.
    What changes from replay to replay is read from the device: batches by a counter (`OrderFeed`), learning rates and
    shares of the averages from `sheet`, noise from the device's random stream.
    """

    name = "cudagraph"
    most = STRIDE

    def __init__(self, training: Training, reason: str, capture: Capture, compiled: Compiled | None = None) -> None:
        super().__init__(training, reason)
        self.compiled = compiled
        self.game = compiled.game if compiled else training.game
        self.capture = capture
        self.draws = training.draws
        self.stride = stride_of(training, self.most)
        data, most = training.data, self.draws * self.stride
        self.feed = OrderFeed(data, most) if isinstance(data, DeviceData) else BufferFeed(data, most)
        self.columns = [
            (player, number)
            for player in training.players.values()
            if player.schedule is not None
            for number in range(len(player.optimizer.param_groups))
        ]
        self.sheet = torch.zeros(self.stride, len(self.columns) + 2, device=training.device)
        self.written: list[list[float]] = []
        self.modules = dict(training.game.named_modules())
        self.after: dict[Phase, Phase] = {}
        self.seen = Counter[Phase]()
        self.graphs: dict[tuple[Phase, int], Graph] = {}
        for player in training.players.values():
            make_capturable(player.optimizer, training.device)

    def advance(self, most: int) -> None:
        """A graph's rounds, or one round as it comes where there is no graph for it yet."""
        rounds = self.stride if most >= self.stride else 1
        key = (self.phase(), rounds)
        if key not in self.graphs and not self.known(*key):
            self.play()
            return
        drawn = self.training.data.drawn
        self.feed.prepare(self.draws * rounds)
        self.write_sheet(rounds)
        if key not in self.graphs:
            graph = self.record_or_say(rounds)
            if self.training.interruption and self.training.interruption.asked:
                self.training.data.seek(drawn)
                raise Interrupted  # whatever became of it: a compiler that was told to stop does less than it can
            if isinstance(graph, str):
                self.training.data.seek(drawn)
                self.give_up(f"a round could not be captured: {graph}")
                self.training.runner.advance(1)
                return
            self.graphs[key] = graph
        self.replay(self.graphs[key])

    def record_or_say(self, rounds: int) -> Graph | str:
        """So many rounds, captured, or why that cannot be."""
        try:
            return self.record(rounds)
        except RuntimeError as error:
            return str(error).splitlines()[0]

    def play(self) -> None:
        """One round as it comes, arranged as it will be captured."""
        before, step = self.phase(), self.training.step
        self.feed.prepare(self.draws)
        self.write_sheet(1)
        if self.seen[before]:
            self.capture.play(lambda: self.rounds(1))
        else:
            with torch.compiler.set_stance("force_eager"), Recording() as recording:
                self.capture.play(lambda: self.rounds(1))
            for operation, why in recording.obstacles.items():
                self.give_up(f"{operation} cannot be captured: {why}.")
                break
        if self.training.averages:
            self.training.averages.count(self.updates(step, self.training.step))
        self.after[before] = self.phase()
        self.seen[before] += 1
        if not self.graphs and self.seen.total() == PATIENCE:
            warnings.warn(
                f"runner {self.name}: no two of the first {PATIENCE:,} rounds were alike, and none could be captured: "
                "the game counts something in its extra state that never comes back to where it was.",
                stacklevel=2,
            )

    def rounds(self, number: int) -> None:
        """So many rounds: what is played, what is captured, and so what a replay does."""
        training = self.training
        for row in range(number):
            for column, (player, group) in enumerate(self.columns):
                player.optimizer.param_groups[group]["lr"] = self.sheet[row, column]
            play_round(self.game, self.feed, training.players, training.means, training.autocast)
            training.step += 1
            if training.averages and training.step % training.averages.every == 0:
                training.averages.blend(self.sheet[row, -2], self.sheet[row, -1])

    def record(self, number: int) -> Graph:
        """Captures so many rounds. Nothing is played, and the host's side of it is put back."""
        before, buffers = self.host(), dict(self.buffers())
        try:
            replay = self.capture.record(lambda: self.rounds(number))
            after = self.host()
            for (module, name), buffer in buffers.items():
                if getattr(module, name) is not buffer:
                    setattr(module, name, buffer)
                    raise RuntimeError(f"{type(module).__name__} has another tensor as its buffer {name} after it.")
            return Graph(
                replay,
                rounds=number,
                counts={name: n - before.counts.get(name, 0) for name, n in after.counts.items()},
                extra=after.extra,
            )
        finally:
            self.put(before)

    def replay(self, graph: Graph) -> None:
        """Plays a graph's rounds, and does on the host what they would have done there."""
        step, after = self.training.step, self.host()
        after.step += graph.rounds
        after.feed = self.feed.moved(after.feed, self.draws * graph.rounds)
        after.counts = {name: after.counts.get(name, 0) + n for name, n in graph.counts.items()}
        after.extra = graph.extra
        graph.replay()
        self.put(after)
        if self.training.averages:
            self.training.averages.count(self.updates(step, after.step))

    def known(self, phase: Phase, rounds: int) -> bool:
        """Whether so many rounds from a phase on are all like ones that were played."""
        for _ in range(rounds):
            if self.seen[phase] < 2:
                return False
            phase = self.after[phase]
        return True

    def phase(self) -> Phase:
        """The phase that the next round begins in."""
        every = self.training.averages.every if self.training.averages else 1
        extra = tuple((name, state.numpy().tobytes()) for name, state in self.extra().items())
        return extra, self.training.step % every

    def extra(self) -> dict[str, Tensor]:
        """The extra state of the game's modules, by their names."""
        kept = {}
        for name, module in self.modules.items():
            if type(module).get_extra_state is not nn.Module.get_extra_state:
                kept[name] = module.get_extra_state().clone()
        return kept

    def buffers(self) -> Iterator[tuple[tuple[nn.Module, str], Tensor]]:
        """Every buffer of the game with its module and name."""
        for module in self.modules.values():
            for name, buffer in module.named_buffers(recurse=False):
                yield (module, name), buffer

    def host(self) -> Host:
        """What a round changes on the host, as it is now."""
        return Host(self.training.step, self.feed.state, dict(self.training.means.counts), self.extra())

    def put(self, host: Host) -> None:
        """Puts the host's side where it was, or will be."""
        self.training.step, self.feed.state = host.step, host.feed
        self.training.means.counts = dict(host.counts)
        for name, state in host.extra.items():
            self.modules[name].set_extra_state(state)

    def write_sheet(self, rounds: int) -> None:
        """Brings the numbers of the next rounds to the device, if they are others than those that are there."""
        training = self.training
        rows = [self.numbers(training.step + number, training) for number in range(rounds)]
        if rows != self.written[:rounds]:
            there = torch.tensor(rows, dtype=torch.float32, pin_memory=training.device.type == "cuda")
            self.sheet[:rounds].copy_(there, non_blocking=True)  # the allocator keeps pinned memory until it is read
            self.written = rows

    def numbers(self, step: int, training: Training) -> list[float]:
        """A round's row of the sheet: learning rates, and the averages' two shares of the update after it."""
        rates = [player.rates(step / training.total_steps)[group] for player, group in self.columns]
        averages = training.averages
        if not averages or (step + 1) % averages.every:
            return [*rates, 0.0, 0.0]
        first = averages.updates + self.updates(training.step, step) == 0
        return [*rates, *averages.shares(step + 1, first=first)]

    def updates(self, since: int, step: int) -> int:
        """Updates of the averages from one step to another."""
        every = self.training.averages.every if self.training.averages else math.inf
        return int(step // every - since // every)

    def give_up(self, why: str) -> None:
        """Leaves the rest of the run to the runner that can play everything, and says so."""
        warnings.warn(
            f"runner {self.name}: {why} Going on with {self.compiled.name if self.compiled else 'eager'}.", stacklevel=2
        )
        training = self.training
        for player in training.players.values():
            for group, rate in zip(player.optimizer.param_groups, player.base_rates, strict=True):
                group["lr"] = rate
        training.runner = self.compiled or Eager(training, f"{self.name} was asked for: {why}")

    def aside(self) -> AbstractContextManager[object]:
        """Networks run uncompiled, where any is compiled."""
        return self.compiled.aside() if self.compiled else nullcontext()


def stride_of(training: Training, most: int = STRIDE) -> int:
    """Rounds in a graph: as many as fit between any two things that are due, up to `most`."""
    train = training.recipe.train
    every = math.gcd(*(often for often in (train.log_every, train.sample_every, train.checkpoint_every) if often))
    whole = every or training.total_steps
    return next(rounds for rounds in range(min(most, whole), 0, -1) if whole % rounds == 0)


def make_capturable(optimizer: torch.optim.Optimizer, device: torch.device) -> None:
    """Lets an optimizer count its steps on the device, where it can: a captured step has no host to count."""
    if device.type != "cuda":
        return
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = True
    for state in optimizer.state.values():
        if isinstance(state.get("step"), Tensor):
            state["step"] = state["step"].to(device, torch.float32)
