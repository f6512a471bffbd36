"""What a run needs to go on where it stopped: an intact checkpoint, and nothing changed that decides its course.

What was changed by name (--set, --unset, a budget, --accept-data, --from) is a branch; see `runs.branches`.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ganzoo.datasets.obtain import Obtained
from ganzoo.errors import CheckpointError, RunError
from ganzoo.recipe.changes import NOT_PLAYED, Changes, changes, is_in, played_digest
from ganzoo.recipe.keys import format_key
from ganzoo.recipe.messages import format_value
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_schedule, planned_game
from ganzoo.recipe.saved import leaves
from ganzoo.runs.branches import Branch, branches_of, describe_change, rollbacks_of
from ganzoo.runs.checkpoint import (
    Checkpoint,
    NewerCheckpoint,
    check_resumable,
    checkpoints_of,
    load_checkpoint,
    step_of,
)
from ganzoo.runs.facts import describe_data_change, utc_now
from ganzoo.runs.run import Run
from ganzoo.runs.tensor_file import MAX_BYTES, most_bytes
from ganzoo.training.distributed import Ranks

BUDGET = ("train.epochs", "train.steps")

BEGINNINGS = ("start.from", "start.players", "start.ema")
"""Keys of a recipe that are read when a run begins, and never again."""

MOST_PROGRESS = 2000
"""The most steps at which two budgets' learning rates are compared."""


def newest_intact(run: Run, *, aloud: bool) -> tuple[Checkpoint, Path]:
    """The checkpoint that a run goes on from, and where it lies.

    aloud: whether to warn of damaged newer ones, and of what looks like a checkpoint and is none of the run's.

    Raises: CheckpointError where none is intact, or where a newer ganzoo has written the newest.
    """
    folder, damage, limit = run.checkpoints, [], largest_file(run)
    for path in reversed(checkpoints_of(folder.path)):
        if folder.examine(path).what == "foreign":
            continue
        try:
            checkpoint = load_checkpoint(path, limit=limit)
            check_resumable(checkpoint, path)
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
            for line in folder.not_counted():
                print(f"warning: {line} It stays as it is.", file=sys.stderr)
        return checkpoint, path
    raise CheckpointError("\n".join([f"{run.directory} has no intact checkpoint.", *damage, *folder.why_none()]))


def largest_file(run: Run) -> int:
    """The largest tensor file of a checkpoint of the run, in bytes: by its networks, where these are known."""
    game = planned_game(run.recipe, run.info)
    return most_bytes(game) if game else MAX_BYTES


def is_whole(run: Run) -> bool:
    """Whether the checkpoint of the last step of a run is intact. Raises: CheckpointError where none is."""
    step: int = newest_intact(run, aloud=False)[0].state["step"]
    return step >= run.step


def checkpoint_of_step(run: Run, step: int) -> tuple[Checkpoint, Path]:
    """The checkpoint of a step, the best one by [evaluate] included. Raises: RunError where there is none."""
    found = {
        step_of(path): path for folder in (run.best_checkpoints, run.checkpoints) for path in folder.oldest_first()
    }
    if step not in found:
        steps = ", ".join(str(known) for known in sorted(found))
        raise RunError(
            "\n".join([f"{run.directory} has no checkpoint of step {step}.", *run.checkpoints.why_none()]),
            remedy=f"There are: {steps or 'none'}. [train] keep says how many stay.",
        )
    checkpoint = load_checkpoint(found[step], limit=largest_file(run))
    check_resumable(checkpoint, found[step])
    return checkpoint, found[step]


def edited(run: Run, checkpoint: Checkpoint) -> Changes:
    """What was changed in the run's recipe.toml by hand since the run wrote it, in more than how a run is computed."""
    values = run.recipe.values
    if run.facts.get("recipe_digest") == played_digest(values):
        return {}
    return changes_since(checkpoint, run.recipe)


def refuse_edits(run: Run, found: Changes, *, asked: Collection[str]) -> None:
    """Raises: RunError where a key was edited in recipe.toml that this command does not name. asked: those it names."""
    silent = {key: pair for key, pair in found.items() if not is_in(key, asked)}
    if silent:
        file, place = run.files.recipe, shlex.quote(str(run.directory))
        named = " ".join(as_option(key, after) for key, (_, after) in silent.items())
        lines = [describe_change(key, *pair) for key, pair in silent.items()]
        raise RunError(
            f"{file} was changed since the checkpoint was made:\n  " + "\n  ".join(lines),
            remedy="Undo that to go on with this run, or start a new one: "
            f"ganzoo run {shlex.quote(str(file))}\n  To go on with it as a branch of this run: "
            f"ganzoo resume {place} {named}",
        )


def changes_since(checkpoint: Checkpoint, recipe: Recipe) -> Changes:
    """How a recipe differs from the checkpoint's in what it plays."""
    besides = (*NOT_PLAYED, *added_since(checkpoint, recipe))
    return changes(checkpoint.state["recipe"], recipe.values, besides=besides)


def added_since(checkpoint: Checkpoint, recipe: Recipe) -> set[str]:
    """The options at their defaults that did not exist when the checkpoint was made: nobody changed them."""
    known = {format_key(key) for key, _ in leaves(checkpoint.state["recipe"])}
    return {key for key, origin in recipe.origins.items() if key not in known and origin.is_default}


def as_option(key: str, value: Any) -> str:
    """A changed key as an option of the command line."""
    word = f"--unset {key}" if value is None else f"--set {key}={format_value(value)}"
    option, _, text = word.partition(" ")
    return f"{option} {shlex.quote(text)}"


def refuse_beginnings(made: Changes, recipe: Recipe, run: Run) -> None:
    """Raises: RunError where weights to begin with are named for a run that has begun."""
    late = [key for key, (_, after) in made.items() if key in BEGINNINGS and after is not None]
    if recipe.start and recipe.start.source and late:
        raise RunError(
            f"{late[0]} is read when a run begins, and {run.directory} has begun.",
            remedy=f"Begin another one with it: ganzoo run {shlex.quote(str(run.files.recipe))} "
            + " ".join(as_option(key, made[key][1]) for key in late),
        )


def data_changes(run: Run, obtained: Obtained, *, accepted: bool) -> Changes:
    """How the data differ from those that the run has learned from; nothing where they are the same.

    accepted: --accept-data. Raises: RunError where they differ and that was not said, or where they are of another
    shape or have other classes, which no checkpoint of this run fits.
    """
    if not (changed := describe_data_change(run.facts, obtained.data)):
        return {}
    name, then, info = obtained.choice.entry.name, run.facts["dataset"], obtained.info
    head = f'{run.files.facts}: the data set "{name}" is not the one that this run began with.'
    if info.kind != run.info.kind or info.fields != run.info.fields:
        before, now = ("; ".join(f"{k} {f.shape} {f.dtype}" for k, f in i.fields.items()) for i in (run.info, info))
        before, now = (f"{text}, classes {list(i.classes)}" for text, i in ((before, run.info), (now, info)))
        raise RunError(
            f"{head}\n  Its networks are made for {before}; these data are {now}.",
            remedy="Point --data-root at the data of before, or start a new run.",
        )
    size = max(obtained.data.sizes[key] for key in info.gives)
    if not accepted:
        count = f"\n  There were {then['size']:,} examples, and now there are {size:,}." if size != then["size"] else ""
        raise RunError(
            f"{head}\n  {changed}{count}",
            remedy="Point --data-root at the data of before, or add --accept-data to go on with these as a branch: "
            f"ganzoo resume {shlex.quote(str(run.directory))} --accept-data",
        )
    now_ = {"checksum": obtained.data.checksum, "size": size, "origin": obtained.data.origin}
    return {key: (then.get(key), value) for key, value in now_.items() if then.get(key) != value}


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


def decisive(made: Changes, recipe: Recipe, *, same_data: bool, step: int, budgets: tuple[int, int]) -> Changes:
    """Of what was changed, that which makes another run of it, and not the same one computed or kept otherwise.

    The same data may lie elsewhere. A new budget gives the same run if the learning rates so far are those that it
    would have had from the beginning. budgets: in steps, before and after.
    """
    found = {key: pair for key, pair in made.items() if key not in NOT_PLAYED}
    if same_data:
        found = {key: pair for key, pair in found.items() if not is_in(key, ["dataset"])}
    if all(key in BUDGET for key in found) and same_rates(recipe, step, *budgets):
        return {}
    return found


def same_rates(recipe: Recipe, step: int, before: int, after: int) -> bool:
    """Whether every schedule gave the learning rates of the first `step` steps under either budget."""
    steps = range(0, step, max(1, step // MOST_PROGRESS))
    schedules = [build_schedule(choice) for choice in recipe.schedules.values()] if before != after else []
    return all(schedule(at / before) == schedule(at / after) for schedule in schedules for at in steps)


def undone(facts: Mapping[str, Any], step: int) -> list[Branch]:
    """The branches that were made by hand at later steps than `step`, which a run goes on from."""
    return [each for each in branches_of(facts) if each.step > step and not each.reason]


def rollbacks_after(run: Run, checkpoint: Checkpoint, made: Changes, *, back: bool) -> int:
    """How many rollbacks ([train] on_nan) the learning rates are lowered by once a run goes on from a checkpoint.

    back: it was gone back to by hand, so that what came after it does not count. Learning rates that are set count as
    they are set: from none.
    """
    if any(is_in(key, ["optimizer", "schedule"]) for key in made):
        return 0
    return checkpoint.state.get("rollbacks", 0) if back else rollbacks_of(run.facts, checkpoint.state)


def new_branch(run: Run, step: int, changed: Changes, data: Changes, *, kept: str, rollbacks: int = 0) -> Branch:
    """A branch that begins at `step`. changed, data: what is different; kept: the folder with what lay after it;
    rollbacks: as `rollbacks_after` has it.

    What branches at later steps had changed of the data is so still, and is said by this one.
    """
    for earlier in reversed(undone(run.facts, step)):
        after = {key: now for key, (_, now) in data.items()}
        data = {key: (then, after.get(key, now)) for key, (then, now) in earlier.data.items()} | {
            key: pair for key, pair in data.items() if key not in earlier.data
        }
    reached = max([run.facts["step"], *(row["step"] for row in run.metrics[-1:])])
    return Branch(step, utc_now(), changed, data, reached if reached > step else None, kept, rollbacks=rollbacks)


def course(facts: Mapping[str, Any], step: int, branch: Branch | None) -> list[dict[str, Any]]:
    """The entries of "branches" once a run goes on from `step`, as `branch` where it is one.

    Those of later steps belong to the course that was left.
    """
    kept = [each for each in branches_of(facts) if each.step <= step]
    return [each.to_json() for each in (*kept, *([branch] if branch else []))]
