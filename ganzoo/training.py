"""A run being played: the loop with all that happens around it, at the steps that the recipe says."""

from __future__ import annotations

import base64
import math
import time
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pluggy
import torch

from ganzoo.checkpoint import (
    Checkpoint,
    keep_last,
    keep_only,
    load_weights,
    pack_optimizer,
    save_checkpoint,
    step_name,
    unpack_optimizer,
)
from ganzoo.engine.data import DeviceData
from ganzoo.engine.device import own_randomness, random_states, restore_random_states, seed_everything
from ganzoo.engine.distributed import ALONE, Exchange, Ranks, check_weights, gather_own, take_own
from ganzoo.engine.ema import Averages
from ganzoo.engine.noise import JointNoise
from ganzoo.engine.runners.eager import Eager
from ganzoo.engine.runners.runner import Runner
from ganzoo.engine.streaming import StreamedData
from ganzoo.errors import GanzooError, TrainingFailed
from ganzoo.facts import runner_of
from ganzoo.game import Game
from ganzoo.loop import Means, Player
from ganzoo.parts import build, build_schedule
from ganzoo.pictures import picture, write_png
from ganzoo.recipe.model import Recipe
from ganzoo.run import Run
from ganzoo.stopping import Interruption, StopConditions

if TYPE_CHECKING:
    from ganzoo.metrics.during import Evaluation
    from ganzoo.run_directory import RunDirectory


class Training:
    """The live state of a run: players, data, averages, counters. `checkpoint` and `restore` are exact inverses.

    game: on `device`; total_steps: the budget; draws: batches a round. Between rounds nothing here touches the random
    streams of training: grids and events draw from copies.
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
        ranks: Ranks = ALONE,
    ) -> None:
        self.recipe = recipe
        self.game = game
        self.data = data
        self.device = data.device
        self.total_steps = total_steps
        self.ranks = ranks
        self.noise = JointNoise(ranks.rank, ranks.size, self.device) if ranks.several else None
        self.exchange = Exchange() if ranks.several else None
        self.players = {name: self._player(name, module) for name, module in game.players().items()}
        averaged = {name: self.players[name].module for name in (recipe.ema.players if recipe.ema else ())}
        self.averages = recipe.ema and Averages(averaged, decay=recipe.ema.decay, every=recipe.ema.every)
        self.autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=recipe.train.precision == "bf16")
        self.means = Means()
        self.evaluation = evaluation
        self.stop = StopConditions(recipe.train.stop, rare=recipe.evaluate.scores if recipe.evaluate else ())
        self.met: list[str] = []
        self.runner: Runner = Eager(self, "nothing else was chosen")
        self.draws = 1
        self.step = 0
        self.seconds = 0.0
        self._clock = time.perf_counter()
        self._row_before = (0, 0.0)
        self._norms: dict[str, float] = {}

    def play(self, run: Run, events: pluggy.PluginManager) -> None:
        """Trains until the budget is spent, a stop condition holds, or somebody interrupts; leaves `run` up to date.

        Raises: TrainingFailed where a loss is no longer a number, or the device has no memory left.
        """
        train = self.recipe.train
        with own_randomness(self.device), Interruption(patient=self.ranks.several) as interruption:
            self._restore_streams()
            self._tell(events.hook.ganzoo_run_started, run=run)
            self._clock = time.perf_counter()
            reason: str | None = None
            try:
                with self.ranks.one_end():
                    if self.step == 0 and train.sample_every:
                        self.draw_grids(run, events)
                    self.ranks.copy_from_first(self._weights())  # on another machine the seed may have drawn others
                    while self.step < self.total_steps and reason is None and not self.asked(interruption):
                        self.advance(self.rounds_to_next())
                        run.step = self.step
                        if due(self.step, train.log_every):
                            reason = self.log(run, events)
                        if due(self.step, train.sample_every):
                            self.draw_grids(run, events)
                        if due(self.step, train.checkpoint_every):
                            self.save(run, events)
                    self._end(run, events, reason, interrupted=self.asked(interruption))
            except BaseException as error:
                self._record(run, status="failed", reason=f"{type(error).__name__}: {error}")
                if isinstance(error, torch.OutOfMemoryError):
                    raise TrainingFailed(
                        "the device has no memory left.", remedy="Lower train.batch_size, or the networks' sizes."
                    ) from error
                raise
            finally:
                self.data.close()
                self._tell(events.hook.ganzoo_run_finished, run=run)

    def asked(self, interruption: Interruption) -> bool:
        """Whether this rank was asked to stop, or another: they all learn of that with the gradients of one step."""
        return self.exchange.asked(interruption, self.step) if self.exchange else interruption.asked

    def advance(self, most: int = 1) -> None:
        """At least one step and at most so many, by the runner's choice."""
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

    def log(self, run: Run, events: pluggy.PluginManager) -> str | None:
        """Writes the row of this step, begins a new window, and says why to stop, if there is a reason."""
        plan = self.recipe.evaluate
        scores = self.scores() if plan and due(self.step, plan.every) else {}
        row = self.row() | scores
        reason = self.reason_to_stop(row)
        if reason or self.step >= self.total_steps:
            row |= self.last_scores()
        self.means.clear()
        self._row_before = (self.data.drawn, self.seconds)
        self._write_row(run, events, row)
        return reason

    def reason_to_stop(self, row: Mapping[str, float]) -> str | None:
        """What [train.stop] says of a row: of that of rank 0, whose clock and whose scores are the run's."""
        if self.recipe.train.stop is None:
            return None
        return self.ranks.decided(self.stop.reason(row) or "" if self.ranks.first else "") or None

    def last_scores(self) -> dict[str, float]:
        """What [evaluate] says of the step that a run ends with by itself, where no scores are due at it anyway."""
        plan = self.recipe.evaluate
        return self.scores() if plan and not due(self.step, plan.every) else {}

    def scores(self) -> dict[str, float]:
        """What [evaluate] says of this step; nothing without one. Its time is not counted as training's."""
        if self.evaluation is None:
            return {}
        self._read_clock()
        with self.shown():
            samples = self.evaluation.draw(self.game)
        scores = self.evaluation.scores(samples)
        self._clock = time.perf_counter()
        return scores

    def row(self) -> dict[str, float]:
        """What is known of the steps since the row before. Raises: TrainingFailed where a value is not finite."""
        values = self.window()
        self._read_clock()
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
        """The norm of each player's last gradient, as "grad/<player>": read where a row is written, which costs the
        other steps nothing.
        """
        norms = {f"grad/{name}": player.gradient_norm() for name, player in self.players.items()}
        # right after a resume there is no gradient yet, and the norm is the one that the checkpoint knows
        return self._norms | {name: norm.item() for name, norm in norms.items() if norm is not None}

    def window(self) -> dict[str, float]:
        """The means over all ranks since the row before, and the norms of the last gradients.

        Raises: TrainingFailed where one is not finite.
        """
        values = self.ranks.means(self.means.read()) | self.gradient_norms()
        for name, value in values.items():
            if not math.isfinite(value):
                broken = TrainingFailed(
                    f"step {self.step}: {name} is {value}.",
                    remedy="Lower the learning rates ([optimizer.*] lr); the last checkpoint is from before.",
                )
                self.ranks.fail(broken)  # the means are over all ranks, and all have found this
        return values

    def draw_grids(self, run: Run, events: pluggy.PluginManager) -> None:
        """Writes this step's sample grids: the same latents, or the same real pictures, every time."""
        if not self.ranks.first:
            return
        real = self.data.first(self.recipe.train.samples)
        with self.shown():
            grids = self.game.preview(real)
        for number, (name, samples) in enumerate(grids.items()):
            path = run.files.grid(self.step, name if number else "")
            write_png(picture(samples, real=real.get("image")), path)
        self._tell(events.hook.ganzoo_samples, run=run, step=self.step, samples=grids, path=run.files.grid(self.step))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside: evaluation mode, averaged weights, no gradients, and randomness that starts at the recipe's seed."""
        modes = {module: module.training for module in self.game.modules()}
        averages = self.averages.shown() if self.averages else nullcontext()
        with own_randomness(self.device), torch.no_grad(), averages, self.autocast, self.runner.aside():
            seed_everything(self.recipe.train.seed)
            self.game.eval()
            try:
                yield
            finally:
                for module, mode in modes.items():
                    module.training = mode

    def save(self, run: Run, events: pluggy.PluginManager) -> None:
        """Writes this step's checkpoint, unless it is there, and deletes those beyond `keep`."""
        path = run.files.checkpoint(self.step)
        if self.ranks.decided("there" if path.exists() else ""):
            return
        self.window()  # what is broken already is not kept
        check_weights(self.ranks, self._weights(), self.step)
        checkpoint = self.checkpoint()
        if self.ranks.first:
            save_checkpoint(path, checkpoint)
            keep_last(run.files.checkpoints, self.recipe.train.keep)
        self._record(run)
        self._tell(events.hook.ganzoo_checkpoint, run=run, step=self.step, path=path)

    def keep_best(self, run: Run, events: pluggy.PluginManager, row: Mapping[str, float]) -> None:
        """Writes this step's checkpoint as the best one, if the row has a better score than any before.

        It takes the place of the one that was. One that is scored only because the run ends stands beside it, and no
        state knows of it: a run that is given a larger budget goes on as if that end had not been.
        """
        plan = self.recipe.evaluate
        better = bool(self.evaluation and self.evaluation.beats(row))
        if plan is None or not self.ranks.decided("better" if better else ""):
            return
        regular = due(self.step, plan.every)
        if self.evaluation and regular:
            self.evaluation.keep(row, self.step)
        checkpoint = self.checkpoint()
        if not self.ranks.first:
            return
        path = run.files.best / step_name(self.step)
        if not path.exists():
            save_checkpoint(path, checkpoint)
            self._tell(events.hook.ganzoo_checkpoint, run=run, step=self.step, path=path)
        if regular:
            keep_only(path)

    def rewind(self, files: RunDirectory) -> None:
        """Takes back what a run's directory holds of the steps after this one, and of an end that it goes on from."""
        plan = self.recipe.evaluate

        def odd(step: int) -> Collection[str]:
            return plan.scores if plan and step < self.total_steps and not due(step, plan.every) else ()

        files.rewind_metrics(self.step, self.recipe.train.log_every, odd)
        if self.evaluation and self.step < self.total_steps:
            step = self.evaluation.state["step"]
            best = files.best / step_name(step or 0)
            if step is None or best.is_dir():
                keep_only(best)

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
        theirs, others = gather_own(self.ranks, self.game, mine)
        tensors.update(theirs)
        self._read_clock()
        state = {
            "step": self.step,
            "drawn": self.data.drawn,
            "seconds": self.seconds,
            "device": self.device.type,
            **mine,
            "other_ranks": others,
            "row_before": list(self._row_before),
            "gradient_norms": self.gradient_norms(),
            "averaged": {name: int(average.n_averaged) for name, average in averaged.items()},
            "optimizers": optimizers,
            "stop": self.stop.state,
            "evaluation": self.evaluation.state if self.evaluation else None,
            "runner": self.runner.met,
            "recipe": self.recipe.values,
        }
        return Checkpoint(tensors, state)

    def restore(self, checkpoint: Checkpoint, where: str) -> None:
        """Goes to where `checkpoint` was made. where: its path, for messages. Raises: CheckpointError on a misfit."""
        tensors, state = checkpoint.tensors, checkpoint.state
        for name, player in self.players.items():
            load_weights(player.module, tensors[name], f"{where}/{name}.safetensors")
            unpack_optimizer(player.optimizer, tensors[f"optimizer-{name}"], state["optimizers"][name])
        for name, average in (self.averages.averaged if self.averages else {}).items():
            load_weights(average.module, tensors[f"ema-{name}"], f"{where}/ema-{name}.safetensors")
            average.n_averaged.fill_(state["averaged"][name])
        self.game.load_state_dict(tensors.get("game", {}), strict=False)
        take_own(self.ranks, self.game, tensors)
        mine = state if self.ranks.first else state["other_ranks"][self.ranks.rank - 1]
        for name, (total, count) in mine["means"].items():
            self.means.sums[name] = torch.tensor(total, dtype=torch.float32, device=self.device)
            if count:
                self.means.counts[name] = count
        self._norms = dict(state.get("gradient_norms", {}))
        self.met = list(state.get("runner", ()))
        self.data.seek(state["drawn"])
        self.stop.state = dict(state["stop"])
        if self.evaluation and state.get("evaluation"):
            self.evaluation.state = dict(state["evaluation"])
        self.step, self.seconds = state["step"], state["seconds"]
        self._row_before = (state["row_before"][0], state["row_before"][1])
        self._streams = {kind: from_text(value) for kind, value in mine["random"].items()}

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

    def _present_streams(self) -> dict[str, torch.Tensor]:
        return random_states(self.device) | (self.noise.state if self.noise else {})

    def _restore_streams(self) -> None:
        restore_random_states(self._streams, self.device)
        if self.noise:
            self.noise.go_to(self._streams, self.recipe.train.seed)

    def _player(self, name: str, module: torch.nn.Module) -> Player:
        optimizer = build(self.recipe.optimizers[name], [p for p in module.parameters() if p.requires_grad])
        choice = self.recipe.schedules.get(name)
        player = Player(module, optimizer, build_schedule(choice) if choice else None)
        if self.exchange:
            self.exchange.average_before(optimizer, player.parameters)
        return player

    def _weights(self) -> Iterator[torch.Tensor]:
        return (parameter for player in self.players.values() for parameter in player.parameters)

    def _own_state(self) -> dict[str, torch.Tensor]:
        """What the game holds besides its players: an image pool, a count of moves."""
        theirs = {
            id(tensor)
            for player in self.players.values()
            for tensor in (*player.module.parameters(), *player.module.buffers())
        }
        return {name: value for name, value in self.game.state_dict(keep_vars=True).items() if id(value) not in theirs}

    def _end(self, run: Run, events: pluggy.PluginManager, reason: str | None, *, interrupted: bool) -> None:
        """The last checkpoint and grid, and a row for the steps after the last one that was due."""
        self.save(run, events)
        train = self.recipe.train
        if train.sample_every and not due(self.step, train.sample_every) and not interrupted:
            self.draw_grids(run, events)
        if self.means.counts:
            row = self.row()
            if not interrupted:
                row |= self.last_scores()
            self._write_row(run, events, row)
        done = self.step >= self.total_steps
        status = "finished" if done else "interrupted" if interrupted else "stopped"
        self._record(run, status=status, reason=reason or ("the budget is spent" if done else "Ctrl-C"))

    def _write_row(self, run: Run, events: pluggy.PluginManager, row: Mapping[str, float]) -> None:
        if self.ranks.first:
            run.files.append_metrics(row)
        self._tell(events.hook.ganzoo_metrics, run=run, step=self.step, values=row)
        self.keep_best(run, events, row)

    def _record(self, run: Run, **facts: Any) -> None:
        self._read_clock()
        run.facts.update(step=self.step, seconds=round(self.seconds, 3), **runner_of(self), **facts)
        if self.ranks.first:
            run.files.write_facts(run.facts)

    def _read_clock(self) -> None:
        now = time.perf_counter()
        self.seconds += now - self._clock
        self._clock = now

    def _tell(self, hook: Any, **facts: Any) -> None:
        """Calls an event's listeners. A listener that raises is reported and does not stop the run."""
        with own_randomness(self.device):
            try:
                hook(**facts)
            except GanzooError:
                raise
            except Exception as error:
                warnings.warn(f"a listener to {hook.name} failed: {type(error).__name__}: {error}", stacklevel=2)


def due(step: int, every: int) -> bool:
    """Whether something that happens every so many steps (0: never) happens at this one."""
    return every > 0 and step % every == 0


def to_text(state: torch.Tensor) -> str:
    """A random stream's state (uint8) as text."""
    return base64.b64encode(state.cpu().numpy().tobytes()).decode()


def from_text(text: str) -> torch.Tensor:
    """The inverse of `to_text`."""
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
