"""What a run needs to go on where it stopped: an intact checkpoint, and nothing changed that decides its course."""

from __future__ import annotations

import sys
from pathlib import Path

from ganzoo.datasets.obtain import Obtained
from ganzoo.errors import CheckpointError, RunError
from ganzoo.recipe import differences
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import planned_game
from ganzoo.runs.checkpoint import Checkpoint, check_resumable, checkpoints_of, load_checkpoint
from ganzoo.runs.directory import RunDirectory
from ganzoo.runs.facts import describe_data_change
from ganzoo.runs.run import Run
from ganzoo.runs.tensor_file import MAX_BYTES, most_bytes
from ganzoo.training.distributed import Ranks

NOT_PLAYED = ("train.data", "train.workers", "train.runner")
"""What a recipe says of how a run is computed, and not of what: a resume may differ in it."""


def newest_intact(files: RunDirectory, *, aloud: bool, limit: int = MAX_BYTES) -> tuple[Checkpoint, Path]:
    """The checkpoint that a run goes on from, and where it lies.

    aloud: whether to warn of damaged newer ones; limit: the largest tensor file that is read, in bytes.

    Raises: CheckpointError where none is intact.
    """
    damage = []
    for path in reversed(checkpoints_of(files.checkpoints)):
        try:
            checkpoint = load_checkpoint(path, limit=limit)
            check_resumable(checkpoint, path)
        except CheckpointError as error:
            damage.append(str(error))
            continue
        for line in damage if aloud else ():
            print(f"warning: {line} Going on from {path.name} instead.", file=sys.stderr)
        return checkpoint, path
    raise CheckpointError("\n".join([f"{files.path} has no intact checkpoint.", *damage]))


def largest_file(run: Run, recipe: Recipe) -> int:
    """The largest tensor file of a checkpoint of the run, in bytes: by its networks, where these are known."""
    game = planned_game(recipe, run.info)
    return most_bytes(game) if game else MAX_BYTES


def refuse_other_recipe(run: Run, checkpoint: Checkpoint, recipe: Recipe, *, new_budget: bool) -> None:
    """Raises: RunError where the run's file was changed, in more than how a run is computed and a budget given anew."""
    allowed = (*NOT_PLAYED, *(("train.epochs", "train.steps") if new_budget else ()))
    changed = differences(checkpoint.state["recipe"], recipe.values)
    changed = [line for line in changed if line.partition(":")[0] not in allowed]
    if changed:
        file = run.files.recipe
        raise RunError(
            f"{file} was changed since the checkpoint was made:\n  " + "\n  ".join(changed),
            remedy=f"Undo that to go on with this run, or start a new one: ganzoo run {file}",
        )


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
