"""From a recipe to a run: `train` and `resume`, the functions behind the command line's `run` and `resume`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganzoo.core.data import Source
from ganzoo.core.random_streams import own_randomness, seed_everything
from ganzoo.datasets.atomic import atomic_folder
from ganzoo.datasets.network import network_forbidden
from ganzoo.datasets.obtain import Obtained, obtain
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import RunError
from ganzoo.plugins import contained, zoo
from ganzoo.plugins.events import empty_events_manager
from ganzoo.plugins.hook_checks import checked_observers
from ganzoo.recipe import read_recipe, recipe_toml
from ganzoo.recipe.changes import changes, is_in, named_keys
from ganzoo.recipe.dry_run import DryRun, dry_run
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.freezing import freeze
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_game
from ganzoo.runs.branches import branch_note, set_aside
from ganzoo.runs.checkpoint import save_checkpoint
from ganzoo.runs.conditions import save_conditions
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.facts import device_facts, utc_now
from ganzoo.runs.run import Run, load
from ganzoo.training.activation_checkpointing import checkpoint_activations, networks_of
from ganzoo.training.device_data import DeviceData
from ganzoo.training.distributed import SINGLE_RANK, Ranks, join_process_group
from ganzoo.training.facts import data_facts, facts_after, facts_of, runner_of
from ganzoo.training.fine_tuning import StartWeights, load_start, read_start
from ganzoo.training.garbage_collection import paused_collection
from ganzoo.training.refitting import begin_anew, fitting, refitted
from ganzoo.training.resuming import (
    BUDGET,
    added_since,
    changes_since,
    checkpoint_of_step,
    course,
    data_changes,
    decisive,
    edited,
    new_branch,
    newest_intact,
    refuse_beginnings,
    refuse_edits,
    refuse_other_ranks,
    rollbacks_after,
    undone,
)
from ganzoo.training.rollback import RolledBack, refuse_several_ranks
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.session import Session, rewind
from ganzoo.training.state import Training
from ganzoo.training.stopping import Interruption
from ganzoo.training.streamed_data import StreamedData

if TYPE_CHECKING:
    from ganzoo.metrics.during_training import Evaluation

SHARED_DISK = "Give all machines the same files: a shared disk, or the same copy on each."


@contained()
def train(
    recipe: str | Path,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    precision: str | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    data_root: str | Path | None = None,
    fallback: bool = True,
    network: bool = True,
    overrides: Sequence[str] = (),
    unset: Sequence[str] = (),
    observers: Sequence[object] = (),
    quiet: bool = False,
    plain: bool | None = None,
    **options: Any,
) -> Run:
    """Plays a recipe and returns the run.

    recipe: a TOML file's path, or an installed recipe's name ("vanilla_mnist").
    epochs, steps, seed, precision: in the place of the recipe's; epochs and steps replace each other.
    out: the run's directory, which must not hold anything yet; by default runs/<recipe>-<date>-<time>.
    device: "auto", "cpu", "cuda", "cuda:1". data_root: the folder of all data sets (default: GANZOO_DATA).
    fallback: False insists on the named data set. network: False downloads nothing, as GANZOO_OFFLINE=1 does.
    overrides: as --set ("generator.latent_dim=64"); unset: as --unset
    (["ema", "regularizer.0"]), before anything is set; options: as overrides, with Python values and two underscores
    for each dot (generator__latent_dim=64, regularizer__0__weight=2).
    observers: objects with `@ganzoo.hookimpl` methods, told of this run's events; quiet: no display; plain: lines.

    Under torchrun every rank calls it: rank 0 writes, speaks and tells observers; the run that the others are given has
    nothing of its own on their disks.

    Raises: RecipeError, DatasetError, PluginError (of an observer, too, that would never be called), RunError before
    anything is written; TrainingFailed during the run;
    FailedElsewhere on a rank where it was another one that failed.
    """
    observers = checked_observers(observers)
    ranks, forbidden = join_process_group(), network_forbidden(not network)
    with ranks.propagate_failures(), forbidden, ExitStack() as locked, paused_collection() as begin:
        with ranks.fail_together():
            decided = read_recipe(
                recipe,
                unset=unset,
                overrides=overrides,
                settings=_settings(epochs, steps, seed, precision, options),
            )
            ranks.check_batch(decided.train.batch_size)
            refuse_several_ranks(decided, ranks)
            place = ranks.choose_device(device)
            weights = read_start(decided)
            path = str(_new_directory(out, decided)) if ranks.first else ""
        if weights:
            ranks.check_same("the weights that training begins with", weights.digests, remedy=SHARED_DISK)
        directory = RunDirectory(Path(ranks.broadcast_text(path)))

        def get_data() -> tuple[Obtained, DryRun]:
            obtained = obtain(decided.dataset, decided.fallback, find_data_root(data_root), allow_fallback=fallback)
            rehearsal = dry_run(decided, obtained.info)
            obtained = obtained.load(place, decided.train.data)
            return obtained, rehearsal if obtained.info == rehearsal.info else dry_run(decided, obtained.info)

        obtained, rehearsal = ranks.run_in_turn(get_data)
        _check_data(ranks, obtained)
        with own_randomness(place):
            with ranks.fail_together():
                evaluation = evaluation_of(decided, obtained, rehearsal, place, quiet=quiet) if ranks.first else None
                seed_everything(decided.train.seed)
                training = assemble(decided, obtained, rehearsal, place, evaluation, ranks, weights)
                training.keep_streams()
            beginning = training.checkpoint()
            with ranks.fail_together():
                training.runner = choose_runner(training, teller("runner", quiet=quiet or not ranks.first))
        facts = facts_of(decided, obtained, training)
        interruption = locked.enter_context(Interruption(ignore_repeats=ranks.several))
        with ranks.fail_together():
            if ranks.first:
                directory.path.parent.mkdir(parents=True, exist_ok=True)
                say_swept(directory.sweep(), quiet=quiet)

                def write(folder: Path) -> None:
                    files = RunDirectory(folder)
                    files.recipe.write_text(recipe_toml(decided), encoding="utf-8")
                    files.metrics.touch()
                    files.samples.mkdir()
                    files.checkpoints.mkdir()
                    files.write_facts(facts)
                    if keys := training.game.conditions:
                        save_conditions(files.conditions, keys, obtained.data, decided.train.seed)
                    save_checkpoint(files.checkpoint(0), beginning, run_id=facts["id"])

                while not _appeared(directory.path, write):
                    directory = RunDirectory(_new_directory(out, decided))  # another run was begun there meanwhile
                locked.enter_context(directory.training_lock())
        run = Run(directory, recipe=decided, facts=facts)
        begin()
        rolled_back = _play(run, training, observers, interruption, quiet=quiet, plain=plain)
    if rolled_back:
        del training, obtained, beginning  # memory that the next session needs
        again: Any = {"network": network, "observers": observers, "quiet": quiet, "plain": plain}
        return resume(run.directory, device=device, data_root=data_root, **again)
    return run


@contained()
def resume(
    directory: str | Path,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    overrides: Sequence[str] = (),
    unset: Sequence[str] = (),
    from_step: int | None = None,
    accept_data: bool = False,
    device: str = "auto",
    data_root: str | Path | None = None,
    network: bool = True,
    observers: Sequence[object] = (),
    quiet: bool = False,
    plain: bool | None = None,
) -> Run:
    """Goes on exactly where a run stopped, as if it had not, or as a branch of it where something is changed.

    epochs, steps: a new budget, counted from the run's beginning. overrides, unset: as in `train`; accept_data: go on
    with data that are no longer those of before; from_step: go back to the checkpoint of that step. What changes the
    run's course is recorded as a branch in run.json, with what is different, and recipe.toml says what holds from now
    on; what lies after the branch's step is moved to branches/N in the run's directory, a run of its own.

    Without from_step the newest intact checkpoint is used. Raises: RunError where the recipe, the data or the networks
    are not those of the checkpoint and nobody said that they are to differ, or where the checkpoint does not fit what
    was changed; CheckpointError where no checkpoint is intact; PluginError where an observer would never be called.
    """
    observers = checked_observers(observers)
    settings = _settings(epochs, steps, None, None, {})
    asked = [*named_keys([*overrides, *unset]), *(BUDGET if settings else ())]
    ranks, forbidden = join_process_group(), network_forbidden(not network)
    with ranks.propagate_failures(), forbidden, ExitStack() as locked, paused_collection() as begin:
        with ranks.fail_together():
            run = load(directory)
            if ranks.first:
                locked.enter_context(run.files.training_lock())
                say_swept(run.files.sweep(), quiet=quiet)
        with ranks.fail_together():
            recipe = run.read_recipe(settings, overrides=overrides, unset=unset)
            checkpoint, path = (
                newest_intact(run, aloud=ranks.first) if from_step is None else checkpoint_of_step(run, from_step)
            )
            refuse_edits(run, by_hand := edited(run, checkpoint), asked=asked)
            refuse_other_ranks(run, checkpoint, ranks)
            ranks.check_batch(recipe.train.batch_size)
            refuse_several_ranks(recipe, ranks)
            place = ranks.choose_device(device)
            anew = bool(by_hand or from_step is not None or undone(run.facts, checkpoint.state["step"]))
            made = changes(run.recipe.values, recipe.values)
            if anew:
                made = changes(checkpoint.state["recipe"], recipe.values, besides=added_since(checkpoint, recipe))
            refuse_beginnings(made, recipe, run)
            rollbacks = rollbacks_after(run, checkpoint, made, back=from_step is not None)
        ranks.check_same("the newest intact checkpoint", path.name, remedy=SHARED_DISK)
        changed = changes_since(checkpoint, recipe)
        choice = recipe.dataset if any(is_in(key, ["dataset"]) for key in changed) else run.data_choice
        root = find_data_root(data_root or run.facts["dataset"]["root"])
        obtained = ranks.run_in_turn(
            lambda: obtain(choice, None, root, allow_fallback=False).load(place, recipe.train.data)
        )
        with ranks.fail_together():
            data = data_changes(run, obtained, accepted=accept_data)
            rehearsal = dry_run(recipe, obtained.info)
            evaluation = evaluation_of(recipe, obtained, rehearsal, place, quiet=quiet) if ranks.first else None
            with own_randomness(place), fitting(path, changed, begin_anew(run, made)):
                training = assemble(recipe, obtained, rehearsal, place, evaluation, ranks)
                training.restore(refitted(checkpoint, training, changed), str(path))
                training.total_steps = training.budget()
                training.roll_back_rates(rollbacks)
                if changed and not ranks.several:
                    with training.rehearsed():
                        training.advance()  # optimizers meet their saved state in a step, and not before
            with own_randomness(place):
                training.runner = choose_runner(training, teller("runner", quiet=quiet or not ranks.first))
        budgets = (run.total_steps, training.total_steps)
        different = decisive(made, recipe, same_data=not data, step=training.step, budgets=budgets)
        back = from_step is not None and run.step > from_step
        if training.step >= training.total_steps:
            if different or data or back:
                raise RunError(
                    f"at step {training.step} the budget of {training.total_steps} steps is spent.",
                    remedy=f"Give a larger one beside: --steps {2 * training.step or 1}",
                )
            if run.status == "finished":
                return run  # one killed after its last checkpoint still lacks its last row and grid, and the status
        played_so_far, last = run.recipe, run
        run = Run(run.files, recipe=recipe, facts=dict(run.facts))
        run.step = training.step
        interruption = locked.enter_context(Interruption(ignore_repeats=ranks.several))
        run.facts.update(status="running", reason="", total_steps=training.total_steps, pid=os.getpid())
        played = {**runner_of(training), "data": data_facts(obtained, training)}
        run.facts.update(played)
        went_on = {"step": training.step, "at": utc_now(), **device_facts(place), **played}
        with ranks.fail_together():
            branch = None
            if different or data or back:
                kept = set_aside(last, training.step) if ranks.first else ""
                branch = new_branch(last, training.step, different, data, kept=kept, rollbacks=rollbacks)
            elif made:
                went_on["changed"] = {key: list(pair) for key, pair in made.items()}
            run.facts.update(facts_after(run.facts, facts_of(recipe, obtained, training), same_data=not data))
            run.facts["resumed"] = [*run.facts["resumed"], went_on]
            if entries := course(run.facts, training.step, branch):
                run.facts["branches"] = entries
            else:
                run.facts.pop("branches", None)
            if ranks.first:
                rewind(training, run, played_so_far)
                if (
                    path.parent != run.files.checkpoints
                    and run.checkpoints.examine(run.files.checkpoint(training.step)).what != "ours"
                ):
                    run.checkpoints.make_room(training.step)
                    save_checkpoint(run.files.checkpoint(training.step), checkpoint, run_id=run.facts.get("id"))
                if data and (keys := training.game.conditions):
                    save_conditions(run.files.conditions, keys, obtained.data, recipe.train.seed)
                if made:
                    run.files.write_recipe(recipe_toml(recipe, note=branch_note(run.facts)))
                run.files.write_facts(run.facts)
        begin()
        rolled_back = _play(run, training, observers, interruption, quiet=quiet, plain=plain)
    if rolled_back:
        del training, obtained, checkpoint  # memory that the next session needs
        again: Any = {"network": network, "observers": observers, "quiet": quiet, "plain": plain}
        return resume(run.directory, device=device, data_root=data_root, **again)
    return run


def assemble(
    recipe: Recipe,
    obtained: Obtained,
    rehearsal: DryRun,
    device: torch.device,
    evaluation: Evaluation | None = None,
    ranks: Ranks = SINGLE_RANK,
    weights: StartWeights | None = None,
) -> Training:
    """The live state of a run of `recipe` on loaded data, at step 0, its networks drawn from the present stream.

    weights: what they begin with in the place of those. Raises: RecipeError where nothing of them fits.
    """
    game = build_game(recipe, obtained.info).to(device)
    began = load_start(weights, recipe, game.players()) if weights else {}
    frozen = freeze(recipe, game.players())
    info, train = obtained.info, recipe.train
    keys = dict.fromkeys(game.needs)
    data: DeviceData | StreamedData
    order: Any = {"batch_size": train.batch_size, "seed": train.seed, "device": device, "paired": info.paired}
    order |= {"shard": (ranks.rank, ranks.size), "to_unit": FieldKinds(info).to_unit}
    if isinstance(obtained.data, Source):
        data = StreamedData(obtained.data, keys, workers=train.workers, **order)
    else:
        data = DeviceData(obtained.data, keys, **order)
    draws = rehearsal.draws_per_round
    training = Training(recipe, game, data, 0, evaluation, ranks)
    training.draws = draws
    training.total_steps = training.budget()
    training.began = began | ({"frozen": frozen} if frozen else {})
    if train.checkpoint_activations:
        for network in networks_of(game):
            checkpoint_activations(network)
    return training


def evaluation_of(
    recipe: Recipe, obtained: Obtained, rehearsal: DryRun, device: torch.device, *, quiet: bool = False
) -> Evaluation | None:
    """What [evaluate] asks for, ready, so that what is wrong with it is known before anything is written.

    quiet: whether to keep to itself what it is doing, which may be learning to tell digits apart for a minute.
    """
    if recipe.evaluate is None:
        return None
    from ganzoo.metrics.during_training import Evaluation

    say = teller("evaluate", quiet=quiet)
    seed, conditions = recipe.train.seed, rehearsal.conditions
    return Evaluation(recipe.evaluate, obtained, conditions=conditions, seed=seed, device=device, say=say)


def teller(subject: str, *, quiet: bool) -> Callable[[str], None]:
    """What says what takes a while, on standard error; or keeps it to itself."""

    def say(what: str) -> None:
        if not quiet:
            print(f"[{subject}] {what} ...", file=sys.stderr)

    return say


def say_swept(removed: Sequence[Path], *, quiet: bool) -> None:
    """Says on standard error which half-written files and folders were removed; or keeps it to itself."""
    if removed and not quiet:
        places = ", ".join(dict.fromkeys(str(path.parent) for path in removed))
        print(f"[run] removed what killed processes had left half-written in {places}: {len(removed)}", file=sys.stderr)


def _play(
    run: Run,
    training: Training,
    observers: Sequence[object],
    interruption: Interruption,
    *,
    quiet: bool,
    plain: bool | None,
) -> bool:
    """Plays a session. Returns: whether the run went back to a checkpoint, from which it is to be resumed."""
    events = zoo().events_manager() if training.ranks.first else empty_events_manager()
    if not quiet and training.ranks.first:
        from ganzoo.display.console import Console

        console = Console(plain=plain)
        for several in events.hook.ganzoo_observers(note=console.note):
            for observer in several:
                events.register(observer)  # called after the console, which is registered later
        events.register(console)
        _say_what_ranks_do_not_share(training)
    for observer in observers if training.ranks.first else ():
        events.register(observer)
    try:
        Session(training, run, events, interruption, displayed=not quiet).play()
    except RolledBack:
        if not interruption.stop_requested:
            return True
        run.facts.update(status="interrupted", reason=interruption.why)
        run.files.write_facts(run.facts)
    return False


def _say_what_ranks_do_not_share(training: Training) -> None:
    """Batch norm is the one usual layer that looks at the whole batch, and sees this rank's part of it."""
    norms = (m for player in training.players.values() for m in player.module.modules())
    if training.ranks.several and any(isinstance(norm, torch.nn.modules.batchnorm._BatchNorm) for norm in norms):
        rows = training.recipe.train.batch_size // training.ranks.size
        print(f"batch norm sees the {rows} samples of its own rank; sampling uses those of rank 0.", file=sys.stderr)


def _settings(
    epochs: int | None, steps: int | None, seed: int | None, precision: str | None, options: Mapping[str, Any]
) -> dict[str, tuple[Any, str]]:
    """What flags and keyword arguments say, as key path -> (value, where it comes from)."""
    flags = {"train.epochs": epochs, "train.steps": steps, "train.seed": seed, "train.precision": precision}
    given = {
        path: (value, f"--{path.removeprefix('train.')} {value}") for path, value in flags.items() if value is not None
    }
    return given | {name.replace("__", "."): (value, f"{name}={value!r}") for name, value in options.items()}


def _new_directory(out: str | Path | None, recipe: Recipe) -> Path:
    if out is None:
        started = datetime.now().strftime("%Y%m%d-%H%M%S")
        path = Path("runs") / f"{recipe.name}-{started}"
        return next(p for n in range(1, 10_000) if not (p := path if n == 1 else Path(f"{path}-{n}")).exists())
    path = Path(out)
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise RunError(
            f"{path} exists already and holds something else.",
            remedy=f"Choose another --out, or go on with a run that is there: ganzoo resume {path}",
        )
    return path


def _appeared(path: Path, write: Callable[[Path], None]) -> bool:
    """Fills a new directory, which appears as a whole; False where another process has made one. Raises: OSError."""
    try:
        with atomic_folder(path) as folder:
            write(folder)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return False
    return True


def _check_data(ranks: Ranks, obtained: Obtained) -> None:
    """All ranks read the same samples. Raises: TrainingFailed, FailedElsewhere."""
    told = obtained.data.listing or obtained.data.checksum  # the same whether they are read whole or streamed
    ranks.check_same("the data", f"{obtained.choice.entry.name} {told}", remedy=SHARED_DISK)
