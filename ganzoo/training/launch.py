"""From a recipe to a run: `train`, the function behind `ganzoo run`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from ganzoo.core.random_streams import own_randomness, seed_everything
from ganzoo.datasets.atomic import atomic_folder
from ganzoo.datasets.network import network_forbidden
from ganzoo.datasets.obtain import Obtained, obtain
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import RunError
from ganzoo.plugins import contained
from ganzoo.plugins.hook_checks import checked_observers
from ganzoo.recipe import read_recipe, recipe_toml
from ganzoo.recipe.dry_run import DryRun, dry_run
from ganzoo.recipe.model import Recipe
from ganzoo.runs.checkpoint import save_checkpoint
from ganzoo.runs.conditions import save_conditions
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.run import Run
from ganzoo.training.assembly import assemble, evaluation_of, teller
from ganzoo.training.distributed import Ranks, join_process_group
from ganzoo.training.facts import facts_of
from ganzoo.training.fine_tuning import read_start
from ganzoo.training.garbage_collection import paused_collection
from ganzoo.training.playing import SHARED_DISK, play_session, say_swept, settings_of
from ganzoo.training.resume import resume
from ganzoo.training.rollback import refuse_several_ranks
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.stopping import Interruption
from ganzoo.training.temporary_folder import check_temporary_folder


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
    check_temporary_folder()
    observers = checked_observers(observers)
    ranks, forbidden = join_process_group(), network_forbidden(not network)
    with ranks.propagate_failures(), forbidden, ExitStack() as locked, paused_collection() as begin:
        with ranks.fail_together():
            decided = read_recipe(
                recipe,
                unset=unset,
                overrides=overrides,
                settings=settings_of(epochs, steps, seed, precision, options),
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
        rolled_back = play_session(run, training, observers, interruption, quiet=quiet, plain=plain)
    if rolled_back:
        del training, obtained, beginning  # memory that the next session needs
        again: Any = {"network": network, "observers": observers, "quiet": quiet, "plain": plain}
        return resume(run.directory, device=device, data_root=data_root, **again)
    return run


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
