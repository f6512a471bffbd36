"""Makes a checkpoint fit a recipe that differs from the one it was made under, for a run that goes on as a branch.

Weights are never refitted: networks of other shapes begin a run of their own. What is refitted hangs on settings that
may change in the course of a run: options of optimizers, averages, the length of an epoch, counters of conditions.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ganzoo.errors import CheckpointError, RunError, TrainingFailed
from ganzoo.plugins import error_text
from ganzoo.recipe.changes import Changes, is_in
from ganzoo.runs.checkpoint import Checkpoint, pack_optimizer
from ganzoo.runs.run import Run
from ganzoo.training.resume_checks import as_option
from ganzoo.training.state import Training


def refitted(checkpoint: Checkpoint, training: Training, changed: Changes) -> Checkpoint:
    """The checkpoint as `training`, whose recipe differs by `changed`, can go on with it.

    - An optimizer of another name begins anew; of the same one the changed options take the place of the saved ones.
    - Averages that the checkpoint does not have begin at its weights.
    - Where an epoch has another number of batches, the position in the data stays the same part of it.
    - What [train.stop] counted and the best score of [evaluate] are forgotten where those tables changed.
    """
    tensors, state = dict(checkpoint.tensors), dict(checkpoint.state)
    lacking = [name for name in training.players if name not in tensors]
    if lacking:
        raise CheckpointError(f"it has no {' and no '.join(lacking)}, which the game plays with.")
    optimizers = dict(state["optimizers"])
    for name, player in training.players.items():
        table = f"optimizer.{name}"
        if f"{table}.name" in changed:
            tensors[f"optimizer-{name}"], optimizers[name] = pack_optimizer(player.optimizer)
            continue
        options = [key.removeprefix(f"{table}.") for key in changed if is_in(key, [table])]
        if any(is_in(key, [f"schedule.{name}"]) for key in changed):
            options.append("lr")  # which the schedule had set
        optimizers[name] = with_options(optimizers[name], player.optimizer, options)
    averaged = dict(state["averaged"])
    for name in training.averages.averaged if training.averages else ():
        if f"ema-{name}" not in tensors:
            tensors[f"ema-{name}"], averaged[name] = tensors[name], 0
    own = training.game.state_dict()
    tensors["game"] = {
        name: value for name, value in tensors.get("game", {}).items() if name in own and own[name].shape == value.shape
    }
    state |= {"optimizers": optimizers, "averaged": averaged, **position(state, training)}
    if any(is_in(key, ["train.stop"]) for key in changed):
        state["stop"] = training.stop.state_dict()
    if any(is_in(key, ["evaluate"]) for key in changed):
        state["evaluation"] = None
    return Checkpoint(tensors, state)


def with_options(packed: dict[str, Any], optimizer: torch.optim.Optimizer, options: list[str]) -> dict[str, Any]:
    """A packed optimizer whose groups have those options as `optimizer` was built with them."""
    groups = [
        {**saved, **{name: group[name] for name in options if name in saved and name in group}}
        for saved, group in zip(packed["groups"], optimizer.param_groups, strict=False)
    ]
    return {**packed, "groups": groups if len(groups) == len(packed["groups"]) else packed["groups"]}


def position(state: dict[str, Any], training: Training) -> dict[str, Any]:
    """Where the data are gone on with, in batches of the present size; budgets in epochs are counted from there."""
    now, then = training.data.batches_per_epoch, state.get("batches_per_epoch")
    if then is None or then == now:
        return {}
    drawn, (row_drawn, seconds) = state["drawn"] * now // then, state["row_before"]
    row_before = [max(0, drawn - state["drawn"] + row_drawn), seconds]
    return {"drawn": drawn, "row_before": row_before, "counted_from": [state["step"], drawn], "batches_per_epoch": now}


def begin_anew(run: Run, made: Changes) -> str:
    """What to do where a checkpoint does not fit what was set."""
    place, file = (shlex.quote(str(path)) for path in (run.directory, run.files.recipe))
    options = " ".join(as_option(key, after) for key, (_, after) in made.items())
    return (
        "What a checkpoint does not fit begins a run of its own, with the weights that fit:\n  "
        f"ganzoo run {file} {options} --set start.from={place}"
    )


@contextmanager
def fitting(path: Path, changed: Changes, advice: str) -> Iterator[None]:
    """Inside, whatever raises because a checkpoint does not fit a changed recipe is refused as one clear message.

    Raises: RunError, with `advice` on what to do instead.
    """
    try:
        yield
    except TrainingFailed:
        raise
    except (CheckpointError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        if not changed:
            raise
        what = error.what if isinstance(error, CheckpointError) else f"{type(error).__name__}: {error_text(error)}"
        lines = "\n  ".join(what.splitlines()[:12])
        raise RunError(f"{path} does not fit {', '.join(changed)} as set:\n  {lines}", remedy=advice) from error
