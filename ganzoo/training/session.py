"""A run being played: its rounds, and all that happens between them at the steps that the recipe says."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Mapping
from shlex import quote
from typing import Any

import pluggy
import torch

from ganzoo.core.game import as_preview
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import DatasetError, GanzooError, TrainingFailed
from ganzoo.kinds.pictures import write_png
from ganzoo.plugins import contained, error_location, error_report, error_text
from ganzoo.recipe.model import Recipe
from ganzoo.runs.checkpoint import Checkpoint, save_checkpoint, step_name
from ganzoo.runs.checkpoint_folder import CheckpointFolder
from ganzoo.runs.run import Run
from ganzoo.training.closed_terminal import leave_closed_terminal
from ganzoo.training.distributed import check_same_weights
from ganzoo.training.facts import runner_of
from ganzoo.training.rollback import RolledBack, roll_back
from ganzoo.training.state import NotFinite, Training
from ganzoo.training.stopping import Interrupted, Interruption


class Session:
    """Plays a training, writes what comes of it into the run's directory, and tells those who listen to its events.

    All ranks play it together; rank 0 alone writes and tells.
    interruption: what asks it to stop, entered by the caller. displayed: whether a terminal shows it, and ends it when
    it is closed.
    """

    def __init__(
        self,
        training: Training,
        run: Run,
        events: pluggy.PluginManager,
        interruption: Interruption | None = None,
        *,
        displayed: bool = False,
    ) -> None:
        self.training = training
        self.recipe = training.recipe
        self.ranks = training.ranks
        self.run = run
        self.hooks = events.hook
        self.kind = run.kinds.sample
        self.interruption = interruption or Interruption(ignore_repeats=self.ranks.several)
        self.displayed = displayed
        self.run_id = run.facts.get("id")
        self.saved_step = training.step
        """The step of the newest checkpoint: a run begins with one, or goes on from one."""

    def play(self) -> None:
        """Trains until the budget is spent, a stop condition holds, or somebody interrupts; leaves `run` up to date.

        Raises: TrainingFailed where a loss is no longer a number, or the device has no memory left.
        """
        training, train = self.training, self.recipe.train
        interruption = self.interruption
        with own_randomness(training.device):
            training.interruption = interruption
            training.restore_streams()
            self.tell(self.hooks.ganzoo_run_started)
            training.skip_clock()
            reason: str | None = None
            try:
                with self.ranks.propagate_failures(), contained():
                    if training.step == 0 and train.sample_every:
                        self.draw_grids()
                    self.ranks.broadcast_tensors(training.weights())  # elsewhere the seed may have drawn others
                    while (
                        training.step < training.total_steps
                        and reason is None
                        and not self.stop_requested(interruption)
                    ):
                        self.prepare_data()
                        try:
                            training.advance(training.rounds_to_next())
                        except Interrupted:
                            break
                        self.run.step = training.step
                        if due(training.step, train.log_every):
                            reason = self.log()
                        if due(training.step, train.sample_every):
                            self.draw_grids()
                        if due(training.step, train.checkpoint_every):
                            self.save()
                    self.end(reason, interruption.why if self.stop_requested(interruption) else "")
            except BaseException as error:
                self.check_directory()
                if isinstance(error, NotFinite):
                    error = self.rolled_back(error)
                if isinstance(error, RolledBack):
                    raise error from None
                with interruption.recording():
                    if isinstance(error, KeyboardInterrupt):
                        self.record(status="interrupted", reason=f"{interruption.why}, and then at once")
                    else:
                        reason = f"{type(error).__name__}: {error_text(error)}{error_location(error)}"
                        self.record(status="failed", reason=reason)
                if isinstance(error, torch.OutOfMemoryError):
                    raise TrainingFailed(
                        "the device has no memory left.",
                        remedy=f"Go on with smaller batches: ganzoo resume {quote(str(self.run.directory))} "
                        f"--set train.batch_size={max(1, train.batch_size // 2)}\n  or begin with smaller networks.",
                    ) from error
                raise error
            finally:
                training.data.close()
                self.tell(self.hooks.ganzoo_run_finished)

    def prepare_data(self) -> None:
        """Waits for the next round's batches. Raises: DatasetError where one cannot be read, and a checkpoint of the
        step is written: the run goes on from there once the file is deleted or replaced.
        """
        try:
            self.training.data.prepare(self.training.draws)
        except DatasetError:
            if not self.ranks.several:  # the others are in their round
                self.save()
            raise

    def rolled_back(self, broken: NotFinite) -> NotFinite | RolledBack:
        """What comes of values that are not finite: a rollback where the recipe says so, and else they themselves."""
        try:
            roll_back(self.training, self.run, broken)
        except (NotFinite, RolledBack) as outcome:
            return outcome
        return broken

    def stop_requested(self, interruption: Interruption) -> bool:
        """Whether this rank was asked to stop, or another: they all learn of that with the gradients of one step."""
        exchange = self.training.exchange
        return exchange.stop_requested(interruption, self.training.step) if exchange else interruption.stop_requested

    def log(self) -> str | None:
        """Writes the row of this step, begins a new window, and says why to stop, if there is a reason."""
        training, plan = self.training, self.recipe.evaluate
        row = training.row()  # first: where a loss is no number any more, samples are none either
        row |= training.scores() if plan and due(training.step, plan.every) else {}
        reason = self.reason_to_stop(row)
        if reason or training.step >= training.total_steps:
            row |= self.last_scores()
        training.begin_window()
        self.write_row(row)
        return reason

    def reason_to_stop(self, row: Mapping[str, float]) -> str | None:
        """What [train.stop] says of a row: of that of rank 0, whose clock and whose scores are the run's."""
        if self.recipe.train.stop is None:
            return None
        return self.ranks.broadcast_text(self.training.stop.reason(row) or "" if self.ranks.first else "") or None

    def last_scores(self) -> dict[str, float]:
        """What [evaluate] says of the step that a run ends with by itself, where no scores are due at it anyway."""
        plan = self.recipe.evaluate
        return self.training.scores() if plan and not due(self.training.step, plan.every) else {}

    def write_row(self, row: Mapping[str, float]) -> None:
        """Appends a row to metrics.jsonl, and keeps this step's checkpoint if the row is the best."""
        if self.ranks.first:
            self.check_directory()
            self.run.files.append_metrics(row)
        self.tell(self.hooks.ganzoo_metrics, step=self.training.step, values=row)
        self.keep_best(row)

    def draw_grids(self) -> None:
        """Writes this step's sample grids: the same latents, or the same real pictures, every time."""
        if not self.ranks.first:
            return
        training, files = self.training, self.run.files
        self.check_directory()
        files.samples.mkdir(exist_ok=True)
        real = training.data.first(self.recipe.train.samples)
        with training.shown():
            grids = training.game.preview(real)
        previews = {name: as_preview(made) for name, made in grids.items()}
        for number, (name, made) in enumerate(previews.items()):
            path = files.grid(training.step, name if number else "")
            write_png(self.kind.picture(made.samples, columns=made.columns, real=real.get("real")), path)
        samples = {name: made.samples for name, made in previews.items()}
        self.tell(self.hooks.ganzoo_samples, step=training.step, samples=samples, path=files.grid(training.step))

    def save(self) -> None:
        """Writes this step's checkpoint, unless the run has done so, and deletes those beyond `keep`."""
        training, checkpoints = self.training, self.run.checkpoints
        path = self.run.files.checkpoint(training.step)
        if self.ranks.broadcast_text("there" if training.step == self.saved_step and path.exists() else ""):
            return
        training.window()  # what is broken already is not kept
        training.check_state()
        check_same_weights(self.ranks, training.weights(), training.step)
        checkpoint = training.checkpoint()
        if self.ranks.first:
            self.write(checkpoints, checkpoint)
            checkpoints.keep_last(self.recipe.train.keep)
        self.saved_step = training.step
        self.record()
        self.tell(self.hooks.ganzoo_checkpoint, step=training.step, path=path)

    def keep_best(self, row: Mapping[str, float]) -> None:
        """Writes this step's checkpoint as the best one, if the row has a better score than any before.

        It takes the place of the one that was. One that is scored only because the run ends stands beside it, and no
        state knows of it: a run that is given a larger budget goes on as if that end had not been.
        """
        training, plan = self.training, self.recipe.evaluate
        better = bool(training.evaluation and training.evaluation.beats(row))
        if plan is None or not self.ranks.broadcast_text("better" if better else ""):
            return
        regular = due(training.step, plan.every)
        training.check_state()
        if training.evaluation and regular:
            training.evaluation.keep(row, training.step)
        checkpoint = training.checkpoint()
        if not self.ranks.first:
            return
        best = self.run.best_checkpoints
        path = best.path / step_name(training.step)
        if best.examine(path).what != "ours":
            self.write(best, checkpoint)
            self.tell(self.hooks.ganzoo_checkpoint, step=training.step, path=path)
        if regular:
            best.keep_only(training.step)

    def write(self, folder: CheckpointFolder, checkpoint: Checkpoint) -> None:
        """Writes this step's checkpoint into a folder, and says so where something else lay in its place."""
        self.check_directory()
        folder.path.mkdir(exist_ok=True)
        if cleared := folder.make_room(self.training.step):
            print(f"warning: {cleared}", file=sys.stderr)
        save_checkpoint(folder.path / step_name(self.training.step), checkpoint, run_id=folder.run_id)

    def end(self, reason: str | None, interrupted: str) -> None:
        """The last checkpoint and grid, and a row for the steps after the last one that was due.

        interrupted: by what, if it was.
        """
        training, train = self.training, self.recipe.train
        self.save()
        if train.sample_every and not due(training.step, train.sample_every) and not interrupted:
            self.draw_grids()
        if training.means.counts:
            row = training.row()
            if not interrupted:
                row |= self.last_scores()
            self.write_row(row)
        done = training.step >= training.total_steps
        status = "finished" if done else "interrupted" if interrupted else "stopped"
        self.record(status=status, reason=reason or ("the budget is spent" if done else interrupted))

    def check_directory(self) -> None:
        """Raises: TrainingFailed where the run's directory is not there any more. Nothing is written then."""
        directory = self.run.directory
        if self.ranks.first and not self.run.files.belongs_to(self.run_id):
            what = f"step {self.training.step}: {directory} does not hold this run any more"
            raise TrainingFailed(
                f"{what}: it was deleted or moved, or its disk is gone.",
                remedy="Nothing more is written. What was moved goes on from its last checkpoint: "
                "ganzoo resume with the new place.",
            )

    def record(self, **facts: Any) -> None:
        """Brings run.json up to date."""
        training = self.training
        training.read_clock()
        known = {"step": training.step, "seconds": round(training.seconds, 3), **runner_of(training)}
        self.run.facts.update(**known, **facts)
        if self.ranks.first:
            self.check_directory()
            self.run.files.write_facts(self.run.facts)

    def tell(self, hook: Any, **facts: Any) -> None:
        """Calls an event's listeners. A listener that raises is reported and does not stop the run."""
        if leave_closed_terminal() and self.displayed:
            self.interruption.terminal_closed()
        with own_randomness(self.training.device):
            try:
                with contained():
                    hook(run=self.run, **facts)
            except GanzooError:
                raise
            except Exception as error:
                warnings.warn(f"a listener to {hook.name} failed: {error_report(error)}", stacklevel=2)


def rewind(training: Training, run: Run, played: Recipe) -> None:
    """Takes back what a run's directory holds of later steps than this one, and of an end that it goes on from.

    Later checkpoints are damaged, or the run would go on from them: they are deleted, and written anew at their steps.
    played: the recipe so far, which a branch differs from. Warns of damage to the log: its whole rows are kept.
    """
    files, plan = run.files, played.evaluate

    def odd(step: int) -> Collection[str]:
        return plan.scores if plan and step < training.total_steps and not due(step, plan.every) else ()

    run.checkpoints.drop_later(training.step)
    run.checkpoints.keep_last(training.recipe.train.keep)
    log, kept = files.rewind_metrics(training.step, played.train.log_every, odd)
    if kept:
        rows = f"Its whole rows are in the new one; as it was, the file is now {kept.name}."
        print(f"warning: {log.damage} {rows}", file=sys.stderr)
    if training.evaluation and training.step < training.total_steps:
        step, best = training.evaluation.state["step"], run.best_checkpoints
        if step is None or best.examine(best.path / step_name(step)).what == "ours":
            best.keep_only(step)
        elif best.newest() is None:  # a branch was made before the best: the best since then is to be found
            training.evaluation.state = {"best": None, "step": None}


def due(step: int, every: int) -> bool:
    """Whether something that happens every so many steps (0: never) happens at this one."""
    return every > 0 and step % every == 0
