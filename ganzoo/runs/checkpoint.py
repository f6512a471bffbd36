"""Checkpoints: safetensors and JSON, written whole or not at all, with digests that are verified when read.

A checkpoint is a folder of tensor files and `state.json`, which holds every number that is not a tensor and the SHA-256
of each file, its own included. No pickle is written or read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ganzoo.datasets.atomic import atomic_folder, write_durably
from ganzoo.errors import CheckpointError
from ganzoo.plugins import error_text
from ganzoo.runs.json_file import JsonError, read_json, reason, typed
from ganzoo.runs.optimizer_state import check_optimizer_state
from ganzoo.runs.state_json import RESUMABLE, state_schema
from ganzoo.runs.tensor_file import MAX_BYTES, check_inside, differences, read_tensors

FORMAT = 1
"""Rises whenever older code could not read what newer code writes."""

OWN_WAYS = ("fused", "foreach", "capturable", "differentiable")
"""Of an optimizer's options those that say how it does its step, and not what the step is."""

OTHER_VERSION = "The plugin that makes this network has changed since: install the version that run.json names."

DIFFERENCES = 40
"""The most differences that a message lists."""

Tensors = Mapping[str, Tensor]


class NewerCheckpoint(CheckpointError):
    """A checkpoint in a format that this version does not know: it is whole, and stays where it is."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """tensors: file name without ".safetensors" ("generator", "optimizer-generator", "ema-generator", "game") -> its
    tensors by name; state: JSON-able counters, options and random states."""

    tensors: Mapping[str, Tensors]
    state: Mapping[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, run_id: str | None = None) -> None:
    """Writes `checkpoint` to the folder `path`, which appears complete or not at all.

    run_id: of the run that writes it, from its run.json.
    """
    with atomic_folder(path) as folder:
        digests = {}
        for name, tensors in checkpoint.tensors.items():
            content = save({key: tensor.detach().cpu().contiguous() for key, tensor in _untied(tensors).items()})
            write_durably(folder / f"{name}.safetensors", content)
            digests[f"{name}.safetensors"] = hashlib.sha256(content).hexdigest()
        by = {} if run_id is None else {"run": run_id}
        state = {"format": FORMAT, **by, **checkpoint.state, "digests": digests}
        state["digest"] = _digest_of(state)
        write_durably(folder / "state.json", json.dumps(state, indent=1).encode())


def load_checkpoint(path: Path, *, only: Callable[[str], bool] = lambda _: True, limit: int = MAX_BYTES) -> Checkpoint:
    """Reads the folder `path`, every digest verified.

    only: whether to read the tensor file of that name; limit: the largest one that is read, in bytes.
    Raises: CheckpointError, naming the file that is missing, damaged, or of a newer format.
    """
    state = read_state(path)
    tensors = {}
    for file, digest in state["digests"].items():
        name = file.removesuffix(".safetensors")
        if only(name):
            check_inside(path / file)
            tensors[name] = read_tensors(path / file, digest, limit=limit)
    return Checkpoint(tensors, state)


def check_resumable(checkpoint: Checkpoint, path: Path) -> None:
    """Raises: CheckpointError where the state does not say all that training depends on."""
    if missing := [name for name in RESUMABLE if name not in checkpoint.state]:
        raise CheckpointError(f"{path / 'state.json'}: it does not say {', '.join(missing)}.")


def read_state(path: Path) -> dict[str, Any]:
    """The checkpoint's state.json alone, verified. Raises: CheckpointError."""
    file = path / "state.json"
    check_inside(file)
    try:
        state = read_json(file)
        digest = state.pop("digest")
    except (OSError, JsonError) as error:
        raise CheckpointError(f"{file}: not a checkpoint's state: {reason(error)}.") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file}: not a checkpoint's state: it has no digest.") from error
    if digest != _digest_of(state):
        raise CheckpointError(f"{file}: its digest does not fit: the file was changed or damaged.")
    if isinstance(state.get("format"), int) and state["format"] > FORMAT:
        raise NewerCheckpoint(f"{file}: written by a newer ganzoo.", remedy="Upgrade ganzoo to read it.")
    try:
        typed(state, state_schema())
    except JsonError as error:
        raise CheckpointError(f"{file}: not a checkpoint's state: {error}.") from error
    return dict(state)


def checkpoints_of(folder: Path) -> list[Path]:
    """The folders that are called exactly as checkpoints are, oldest first; links are none.

    Whether a run has written them is what `ganzoo.runs.checkpoint_folder` knows.
    """
    try:
        found = [path for path in folder.iterdir() if step_in(path.name) is not None]
    except OSError:
        return []
    return sorted((path for path in found if path.is_dir() and not path.is_symlink()), key=step_of)


def step_name(step: int) -> str:
    """The name of a step's checkpoint and grid: "step-00000400"."""
    return f"step-{step:08d}"


def step_of(path: Path) -> int:
    """The step that a checkpoint is of, from its name."""
    return int(path.name.rpartition("-")[2])


def step_in(name: str) -> int | None:
    """The step in a name that `step_name` has given; None for all others ("step-best", "step-00000020 (copy)")."""
    digits = name.removeprefix("step-")
    ours = digits.isascii() and digits.isdecimal() and len(digits) < 20 and step_name(int(digits)) == name
    return int(digits) if ours else None


def pack_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as tensors ("0.exp_avg") and JSON-able rest; `unpack_optimizer` puts them back.

    Raises: CheckpointError where the optimizer keeps something that is neither a tensor nor a plain number.
    """
    whole = optimizer.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for index, values in whole["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            elif value is None or isinstance(value, bool | int | float | str):
                plain[f"{index}.{key}"] = value
            else:
                kind = type(optimizer).__name__
                raise CheckpointError(f"the optimizer {kind} keeps a {type(value).__name__} ({key}), not a tensor.")
    return tensors, {"state": plain, "groups": whole["param_groups"]}


def unpack_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Tensors, rest: Mapping[str, Any], where: str = "the checkpoint"
) -> None:
    """Puts a packed state back into a freshly built optimizer of the same kind over the same parameters.

    How its step is done (fused, capturable) stays as it was built: that is this device's affair. where: the file, for
    messages. Raises: CheckpointError where the state is not one of such an optimizer over such parameters.
    """
    state = check_optimizer_state(optimizer, tensors, rest, where)
    groups = [
        {**group, **saved, **{name: group[name] for name in OWN_WAYS if name in group}}
        for saved, group in zip(rest["groups"], optimizer.param_groups, strict=True)
    ]
    try:
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{where}: not a state of this optimizer: {error_text(error)}.", remedy=OTHER_VERSION
        ) from error
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            # Files know no layout, and a fused step walks through parameter and averages side by side.
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                values[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def load_weights(module: nn.Module, tensors: Tensors, where: str) -> None:
    """Loads a state dict whose names and shapes must fit. Raises: CheckpointError with every difference."""
    check_fits(module, tensors, where)
    module.load_state_dict(tensors)


def player_tensors(checkpoint: Checkpoint, name: str, path: Path, *, ema: bool = False) -> tuple[Tensors, str]:
    """A player's tensors and their file, of the averaged weights where they are wanted and there are any.

    Raises: CheckpointError where the checkpoint at `path` has no such player.
    """
    key = f"ema-{name}" if ema and f"ema-{name}" in checkpoint.tensors else name
    if key not in checkpoint.tensors:
        raise CheckpointError(
            f"{path / 'state.json'}: it names no {key}.safetensors, and the game has a player {name}.",
            remedy=OTHER_VERSION,
        )
    return checkpoint.tensors[key], f"{path / key}.safetensors"


def load_game_state(game: nn.Module, checkpoint: Checkpoint, path: Path) -> None:
    """Loads what the game holds besides its players: an image pool, a count of moves. Raises: CheckpointError."""
    try:
        game.load_state_dict(checkpoint.tensors.get("game", {}), strict=False)
    except (RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path / 'game.safetensors'} does not fit the game: {error_text(error)}", remedy=OTHER_VERSION
        ) from error


def check_fits(module: nn.Module, tensors: Tensors, where: str) -> None:
    """Raises: CheckpointError with every difference in names, shapes and types. where: the file, for messages."""
    if lines := differences(tensors, module.state_dict()):
        raise CheckpointError(
            f"{where} does not fit the network:\n  " + "\n  ".join(first_of(lines, DIFFERENCES)), remedy=OTHER_VERSION
        )


def first_of(lines: Sequence[str], most: int) -> list[str]:
    """The first lines, and how many others there are."""
    return [*lines[:most], *([f"and {len(lines) - most:,} more"] if len(lines) > most else [])]


def _untied(tensors: Tensors) -> dict[str, Tensor]:
    """Tensors that share memory (tied weights) are each written in full: safetensors refuses shared ones."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return apart


def _digest_of(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
