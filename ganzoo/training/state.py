"""The live state of a run: what a step depends on, what a row says of it, and its checkpoints, there and back."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganzoo.core.game import Game
from ganzoo.core.gradient_clipping import GradientClipping
from ganzoo.core.loop import Means, Player
from ganzoo.core.noise import JointNoise
from ganzoo.core.random_streams import (
    from_text,
    own_randomness,
    random_states,
    restore_random_states,
    seed_everything,
    to_text,
)
from ganzoo.errors import CheckpointError, TrainingFailed
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parameter_groups import build_optimizer
from ganzoo.recipe.parts import build_schedule
from ganzoo.runs.checkpoint import (
    OTHER_VERSION,
    Checkpoint,
    load_game_state,
    load_weights,
    pack_optimizer,
    player_tensors,
    unpack_optimizer,
)
from ganzoo.training.device_data import DeviceData
from ganzoo.training.distributed import SINGLE_RANK, GradientExchange, Ranks, gather_rank_state, load_rank_state
from ganzoo.training.ema import WeightAverages
from ganzoo.training.finite_state import FiniteState
from ganzoo.training.runners.eager import EagerRunner
from ganzoo.training.runners.runner import Runner
from ganzoo.training.stopping import Interruption, StopConditions
from ganzoo.training.streamed_data import StreamedData

if TYPE_CHECKING:
    from ganzoo.metrics.during_training import Evaluation


class NotFinite(TrainingFailed):
    """A loss, a gradient, a weight or an optimizer's state is NaN or infinite."""


class Training:
    """The live state of a run: players, data, averages, counters. `checkpoint` and `restore` are exact inverses.

    game: on `device`; total_steps: the budget; draws: batches a round; began: what [start] did, for run.json. Between
    rounds nothing here touches the random streams of training: grids and events draw from copies.
    counted_from: the step and the position in the data from which a budget in epochs is counted: the beginning, or
    where a branch changed how many batches an epoch has.
    ranks: the processes that train this run, each of which has a Training of its own: all take the same steps, and rank
    0 alone scores, draws and writes.
    """

    def __init__(
        self,
        recipe: Recipe,
        game: Game,
        data: DeviceData | StreamedData,
        total_steps: int,
        evaluation: Evaluation | None = None,
        ranks: Ranks = SINGLE_RANK,
    ) -> None:
        self.recipe = recipe
        self.game = game
        self.data = data
        self.device = data.device
        self.total_steps = total_steps
        self.ranks = ranks
        self.noise = JointNoise(ranks.rank, ranks.size, self.device) if ranks.several else None
        self.exchange = GradientExchange() if ranks.several else None
        self.players = {name: self._player(name, module) for name, module in game.players().items()}
        self.finite = FiniteState(self.players)
        averaged = {name: self.players[name].module for name in (recipe.ema.players if recipe.ema else ())}
        self.averages = recipe.ema and WeightAverages(
            averaged,
            decay=recipe.ema.decay,
            every=recipe.ema.every,
            warmup=recipe.ema.warmup,
            statistics=recipe.ema.statistics,
        )
        self.autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=recipe.train.precision == "bf16")
        self.means = Means()
        self.evaluation = evaluation
        self.stop = StopConditions(
            recipe.train.stop, occasional_metrics=recipe.evaluate.scores if recipe.evaluate else ()
        )
        self.interruption: Interruption | None = None
        self.played_phases: list[str] = []
        self.runner: Runner = EagerRunner(self, "nothing else was chosen")
        self.draws = 1
        self.counted_from = (0, 0)
        self.rollbacks = 0
        self.began: dict[str, Any] = {}
        self.step = 0
        self.seconds = 0.0
        self._clock = time.perf_counter()
        self._row_before = (0, 0.0)
        self._norms: dict[str, float] = {}
        self._norms_at = 0

    def budget(self) -> int:
        """The recipe's budget in steps: epochs are so many batches, of which a round draws `draws`."""
        train, (step, drawn) = self.recipe.train, self.counted_from
        batches = (train.epochs or 0) * self.data.batches_per_epoch - drawn
        return train.steps or step + math.ceil(batches / self.draws)

    def advance(self, most: int = 1) -> None:
        """At least one step and at most so many, by the runner's choice. Raises: Interrupted where none was played."""
        with self.noise.drawn() if self.noise else nullcontext():
            self.runner.advance(most)

    def follow_schedules(self) -> None:
        """Sets the learning rates for the next round."""
        for player in self.players.values():
            player.follow_schedule(self.step / self.total_steps)

    def rounds_to_next(self) -> int:
        """Rounds until something else is due: a row, a grid, a checkpoint, the end."""
        train = self.recipe.train
        often = (every for every in (train.log_every, train.sample_every, train.checkpoint_every) if every)
        return min((self.total_steps - self.step, *(every - self.step % every for every in often)))

    def scores(self) -> dict[str, float]:
        """What [evaluate] says of this step; nothing without one. Its time is not counted as training's."""
        if self.evaluation is None:
            return {}
        self.read_clock()
        with self.shown():
            samples = self.evaluation.draw(self.game)
        scores = self.evaluation.scores(*samples) if samples else {}
        self.skip_clock()
        return scores

    def row(self) -> dict[str, float]:
        """What is known of the steps since the row before. Raises: TrainingFailed where a value is not finite."""
        values = self.window()
        self.read_clock()
        drawn, seconds = self._row_before
        speed = (self.data.drawn - drawn) * self.data.batch_size / max(self.seconds - seconds, 1e-9)
        return {
            "step": self.step,
            "epoch": round(self.data.drawn / self.data.batches_per_epoch, 4),
            "seconds": round(self.seconds, 3),
            "samples_per_second": round(speed, 1),
            **values,
        }

    def gradient_norms(self) -> dict[str, float]:
        """The norm of each player's last gradient, as "grad/<player>": read once at a step that a row or a checkpoint
        is made of, and never at the others.
        """
        if self._norms_at != self.step:
            norms = {f"grad/{name}": player.gradient_norm() for name, player in self.players.items()}
            # right after a resume there is no gradient yet, and the norm is the one that the checkpoint knows
            self._norms |= {name: norm.item() for name, norm in norms.items() if norm is not None}
            self._norms_at = self.step
        return dict(self._norms)

    def window(self) -> dict[str, float]:
        """The means over all ranks since the row before, and the norms of the last gradients.

        Raises: TrainingFailed where one is not finite.
        """
        values = self.ranks.means(self.means.read()) | self.gradient_norms()
        self.refuse_non_finite(values)
        return values

    def check_state(self) -> None:
        """Raises: TrainingFailed where a weight or an optimizer's state is not finite, on any rank: what a step made of
        it is no use, and neither is a checkpoint.
        """
        if math.isfinite(self.ranks.means({"largest": self.finite.largest()})["largest"]):
            return
        self.refuse_non_finite(self.ranks.means(self.finite.largest_of_each()))

    def refuse_non_finite(self, values: Mapping[str, float]) -> None:
        """Raises: TrainingFailed where one of the values, which are the same on all ranks, is not finite."""
        for name, value in values.items():
            if not math.isfinite(value):
                self.ranks.fail(NotFinite(f"step {self.step}: {name} is {value}.", remedy=self.lower_rates()))

    def roll_back_rates(self, rollbacks: int) -> None:
        """Sets the learning rates that a recipe has after so many rollbacks ([train] on_nan)."""
        if rollbacks == self.rollbacks:
            return
        factor = self.recipe.train.rollback_lr_factor ** (rollbacks - self.rollbacks)
        self.rollbacks = rollbacks
        for player in self.players.values():
            player.base_rates = [rate * factor for rate in player.base_rates]
            for group, rate in zip(player.optimizer.param_groups, player.base_rates, strict=True):
                group["lr"] = rate

    def lower_rates(self) -> str:
        """What to do about values that are not finite: a command with every learning rate at half."""
        rates = {name: choice.options.get("lr") for name, choice in self.recipe.optimizers.items()}
        options = [f"--set optimizer.{name}.lr={rate / 2:g}" for name, rate in rates.items() if isinstance(rate, float)]
        return (
            "Lower the learning rates, or limit the gradients ([optimizer.*] clip_norm), and go on from the last "
            f"checkpoint, which is from before:\n  ganzoo resume RUN {' '.join(options)}"
        )

    def begin_window(self) -> None:
        """After a row: what the next one says is of the steps from here on."""
        self.means.clear()
        self._row_before = (self.data.drawn, self.seconds)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside: evaluation mode, averaged weights, no gradients, and randomness that starts at the recipe's seed."""
        modes = {module: module.training for module in self.game.modules()}
        averages = self.averages.applied() if self.averages else nullcontext()
        with own_randomness(self.device), torch.no_grad(), averages, self.autocast, self.runner.evaluation_context():
            seed_everything(self.recipe.train.seed)
            self.game.eval()
            try:
                yield
            finally:
                for module, mode in modes.items():
                    module.training = mode

    def read_clock(self) -> None:
        """Counts the time since the last look at the clock as training's."""
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now

    def skip_clock(self) -> None:
        """Leaves the time since the last look at the clock uncounted."""
        self._clock = time.perf_counter()

    def weights(self) -> Iterator[torch.Tensor]:
        """Every player's parameters, frozen ones too."""
        return (parameter for player in self.players.values() for parameter in player.module.parameters())

    def checkpoint(self) -> Checkpoint:
        """Everything that the next step depends on. All ranks make it together; that of rank 0 is whole."""
        tensors: dict[str, Mapping[str, torch.Tensor]] = {}
        optimizers = {}
        for name, player in self.players.items():
            tensors[name] = player.module.state_dict()
            tensors[f"optimizer-{name}"], optimizers[name] = pack_optimizer(player.optimizer)
            rates = player.rates(max(self.step - 1, 0) / self.total_steps)
            for group, rate in zip(optimizers[name]["groups"], rates, strict=True):
                group["lr"] = rate  # which is a tensor on the device while rounds are captured
        averaged = self.averages.averaged if self.averages else {}
        for name, average in averaged.items():
            tensors[f"ema-{name}"] = average.module.state_dict()
        if own := self._own_state():
            tensors["game"] = own
        mine = {
            "random": {kind: to_text(value) for kind, value in self._present_streams().items()},
            "means": {name: [total.item(), self.means.counts.get(name, 0)] for name, total in self.means.sums.items()},
        }
        theirs, others = gather_rank_state(self.ranks, self.game, mine)
        tensors.update(theirs)
        self.read_clock()
        state = {
            "step": self.step,
            "drawn": self.data.drawn,
            "seconds": self.seconds,
            "device": self.device.type,
            **mine,
            "other_ranks": others,
            "row_before": list(self._row_before),
            "batches_per_epoch": self.data.batches_per_epoch,
            "counted_from": list(self.counted_from),
            "rollbacks": self.rollbacks,
            "gradient_norms": self.gradient_norms(),
            "averaged": {name: int(average.n_averaged) for name, average in averaged.items()},
            "optimizers": optimizers,
            "stop": self.stop.state_dict(),
            "evaluation": self.evaluation.state if self.evaluation else None,
            "runner": self.runner.played_phases,
            "recipe": self.recipe.values,
        }
        return Checkpoint(tensors, state)

    def restore(self, checkpoint: Checkpoint, where: str) -> None:
        """Goes to where `checkpoint` was made. where: its path, for messages. Raises: CheckpointError on a misfit."""
        tensors, state = checkpoint.tensors, checkpoint.state
        for name, player in self.players.items():
            load_weights(player.module, *player_tensors(checkpoint, name, Path(where)))
            kept, file = player_tensors(checkpoint, f"optimizer-{name}", Path(where))
            unpack_optimizer(player.optimizer, kept, named(state["optimizers"], name, where), file)
        for name, average in (self.averages.averaged if self.averages else {}).items():
            load_weights(average.module, *player_tensors(checkpoint, f"ema-{name}", Path(where)))
            average.n_averaged.fill_(named(state["averaged"], name, where))
        load_game_state(self.game, checkpoint, Path(where))
        load_rank_state(self.ranks, self.game, tensors)
        mine = state if self.ranks.first else state["other_ranks"][self.ranks.rank - 1]
        for name, (total, count) in mine["means"].items():
            self.means.sums[name] = torch.tensor(total, dtype=torch.float32, device=self.device)
            if count:
                self.means.counts[name] = count
        self._norms = dict(state.get("gradient_norms", {}))
        self.played_phases = list(state.get("runner", ()))
        self.data.seek(state["drawn"])
        self.counted_from = tuple(state.get("counted_from", (0, 0)))
        self.stop.load_state_dict(state["stop"])
        if self.evaluation and state.get("evaluation"):
            self.evaluation.state = dict(state["evaluation"])
        self.step, self.seconds = state["step"], state["seconds"]
        self._norms_at = self.step
        self._row_before = (state["row_before"][0], state["row_before"][1])
        self._streams = checked_streams({kind: from_text(value) for kind, value in mine["random"].items()}, where)

    @contextmanager
    def rehearsed(self) -> Iterator[None]:
        """Rounds played inside leave no trace: afterwards everything that a step depends on is as it was."""
        gradients = [(each, each.grad) for player in self.players.values() for each in player.parameters]
        streams, seconds = self._streams, self.seconds
        now = self.checkpoint()
        kept = {
            file: {name: each.detach().clone() for name, each in held.items()} for file, held in now.tensors.items()
        }
        try:
            with own_randomness(self.device):
                yield
        finally:
            self.means = Means()
            self.restore(Checkpoint(kept, now.state), "the rehearsal")
            self._streams, self.seconds = streams, seconds
            for parameter, gradient in gradients:
                parameter.grad = gradient

    def keep_streams(self) -> None:
        """Takes the present random streams as those that training begins with.

        Where there are several ranks, that stream is the one that they have in common, and each has its own beside it.
        """
        if self.noise:
            self.noise.begin(self.recipe.train.seed)
        self._streams = self._present_streams()

    def restore_streams(self) -> None:
        """Goes on with the streams that `keep_streams` or a checkpoint kept."""
        restore_random_states(self._streams, self.device)
        if self.noise:
            self.noise.go_to(self._streams, self.recipe.train.seed)

    def _present_streams(self) -> dict[str, torch.Tensor]:
        return random_states(self.device) | (self.noise.state if self.noise else {})

    def _player(self, name: str, module: torch.nn.Module) -> Player:
        optimizer = build_optimizer(self.recipe.optimizers[name], name, module)
        choice = self.recipe.schedules.get(name)
        player = Player(module, optimizer, build_schedule(choice) if choice else None)
        if self.exchange:
            self.exchange.average_before_step(optimizer, player.parameters)
        if (norm := self.recipe.clip_norms.get(name)) is not None:  # of the average over ranks
            player.clipping = GradientClipping(optimizer, player.parameters, clip_norm=norm)
        return player

    def _own_state(self) -> dict[str, torch.Tensor]:
        """What the game holds besides its players: an image pool, a count of moves."""
        theirs = {
            id(tensor)
            for player in self.players.values()
            for tensor in (*player.module.parameters(), *player.module.buffers())
        }
        return {name: value for name, value in self.game.state_dict(keep_vars=True).items() if id(value) not in theirs}


def named(values: Mapping[str, Any], name: str, where: str) -> Any:
    """What a checkpoint's state says of a player. Raises: CheckpointError where it says nothing."""
    if name not in values:
        raise CheckpointError(f"{where}/state.json: it says nothing of the player {name}.", remedy=OTHER_VERSION)
    return values[name]


def checked_streams(streams: dict[str, torch.Tensor], where: str) -> dict[str, torch.Tensor]:
    """The states of random streams, as they are. Raises: CheckpointError where that of the CPU is none."""
    try:
        torch.Generator().set_state(streams["cpu"])
    except (KeyError, RuntimeError, TypeError) as error:
        raise CheckpointError(f"{where}/state.json: random.cpu is not the state of a random stream.") from error
    return streams
