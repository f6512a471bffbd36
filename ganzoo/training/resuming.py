"""What a run needs to go on where it stopped: an intact checkpoint, and nothing changed that decides its course."""

from __future__ import annotations

import sys
from pathlib import Path

from ganzoo.datasets.obtain import Obtained
from ganzoo.errors import CheckpointError, RunError
from ganzoo.recipe import differences
from ganzoo.recipe.keys import format_key
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.saved import leaves
from ganzoo.runs.checkpoint import Checkpoint, NewerCheckpoint, checkpoints_of, load_checkpoint
from ganzoo.runs.facts import describe_data_change
from ganzoo.runs.run import Run
from ganzoo.training.distributed import Ranks

NOT_PLAYED = ("train.data", "train.workers", "train.runner")
"""What a recipe says of how a run is computed, and not of what: a resume may differ in it."""


def newest_intact(run: Run, *, aloud: bool) -> tuple[Checkpoint, Path]:
    """The checkpoint that a run goes on from, and where it lies.

    aloud: whether to warn of damaged newer ones, and of what looks like a checkpoint and is none of the run's.

    Raises: CheckpointError where none is intact, or where a newer ganzoo has written the newest.
    """
    folder, damage = run.checkpoints, []
    for path in reversed(checkpoints_of(folder.path)):
        if folder.examine(path).what == "foreign":
            continue
        try:
            checkpoint = load_checkpoint(path)
        except NewerCheckpoint:
            raise
        except CheckpointError as error:
            damage.append(str(error))
            continue
        if aloud:
            for line in damage:
                print(
                    f"warning: {line} Going on from {path.name} instead, and playing the steps after it again.",
                    file=sys.stderr,
                )
            for other in folder.foreign():
                print(
                    f"warning: {other.path} is not a checkpoint of this run: {other.why}. It stays as it is.",
                    file=sys.stderr,
                )
        return checkpoint, path
    raise CheckpointError("\n".join([f"{run.directory} has no intact checkpoint.", *damage]))


def is_whole(run: Run) -> bool:
    """Whether the checkpoint of the last step of a run is intact. Raises: CheckpointError where none is."""
    step: int = newest_intact(run, aloud=False)[0].state["step"]
    return step >= run.step


def refuse_other_recipe(run: Run, checkpoint: Checkpoint, recipe: Recipe, *, new_budget: bool) -> None:
    """Raises: RunError where the run's file was changed, in more than how a run is computed and a budget given anew."""
    allowed = (*NOT_PLAYED, *(("train.epochs", "train.steps") if new_budget else ()))
    changed = differences(checkpoint.state["recipe"], recipe.values)
    changed = [line for line in changed if line.partition(":")[0] not in (*allowed, *added_since(checkpoint, recipe))]
    if changed:
        file = run.files.recipe
        raise RunError(
            f"{file} was changed since the checkpoint was made:\n  " + "\n  ".join(changed),
            remedy=f"Undo that to go on with this run, or start a new one: ganzoo run {file}",
        )


def added_since(checkpoint: Checkpoint, recipe: Recipe) -> set[str]:
    """The options at their defaults that did not exist when the checkpoint was made: nobody changed them."""
    known = {format_key(key) for key, _ in leaves(checkpoint.state["recipe"])}
    return {key for key, origin in recipe.origins.items() if key not in known and origin.is_default}


def refuse_other_data(run: Run, obtained: Obtained) -> None:
    """Raises: RunError where the data are not those that the run began with."""
    if changed := describe_data_change(run.facts, obtained.data):
        name = obtained.choice.entry.name
        raise RunError(
            f'{run.directory}: the data set "{name}" is not the one that this run began with.\n  {changed}',
            remedy="Point --data-root at the data of before, or start a new run.",
        )


def refuse_other_ranks(run: Run, checkpoint: Checkpoint, ranks: Ranks) -> None:
    """Raises: RunError where they are more or fewer: each has streams of its own, which others cannot go on with."""
    trained = 1 + len(checkpoint.state.get("other_ranks", ()))
    if trained != ranks.size:
        command = f"ganzoo resume {run.directory}"
        if trained > 1:
            command = f"torchrun --nproc-per-node={trained} -m {command} (or {trained} over several machines)"
        raise RunError(
            f"{run.directory} goes on with as many ranks as it began with: {trained}, and here it has {ranks.size}.",
            remedy=command,
        )
