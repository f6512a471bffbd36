"""Checkpoints: safetensors and JSON, written whole or not at all, with digests that are verified when read.

A checkpoint is a folder of tensor files and `state.json`, which holds every number that is not a tensor and the SHA-256
of each file, its own included. No pickle is written or read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ganzoo.datasets.atomic import atomic_folder, write_durably
from ganzoo.errors import CheckpointError

FORMAT = 1
"""Rises whenever older code could not read what newer code writes."""

OWN_WAYS = ("fused", "foreach", "capturable", "differentiable")
"""Of an optimizer's options those that say how it does its step, and not what the step is."""

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


def load_checkpoint(path: Path, *, only: str | None = None) -> Checkpoint:
    """Reads the folder `path`, every digest verified. only: read just the tensor files whose name begins so.

    Raises: CheckpointError, naming the file that is missing, damaged, or of a newer format.
    """
    state = read_state(path)
    tensors = {}
    for file, digest in state["digests"].items():
        name = file.removesuffix(".safetensors")
        if only is None or name.startswith(only):
            tensors[name] = read_tensors(path / file, digest)
    return Checkpoint(tensors, state)


def read_state(path: Path) -> dict[str, Any]:
    """The checkpoint's state.json alone, verified. Raises: CheckpointError."""
    file = path / "state.json"
    try:
        state = json.loads(file.read_bytes())
        digest = state.pop("digest")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{file}: not a checkpoint's state: {error}.") from error
    if digest != _digest_of(state):
        raise CheckpointError(f"{file}: its digest does not fit: the file was changed or damaged.")
    if state["format"] > FORMAT:
        raise NewerCheckpoint(f"{file}: written by a newer ganzoo.", remedy="Upgrade ganzoo to read it.")
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


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, rest: Mapping[str, Any]) -> None:
    """Puts a packed state back into a freshly built optimizer of the same kind over the same parameters.

    How its step is done (fused, capturable) stays as it was built: that is this device's affair.
    Raises: CheckpointError where the optimizer has another number of groups.
    """
    state: dict[int, dict[str, Any]] = {}
    for name, value in (*tensors.items(), *rest["state"].items()):
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    if len(rest["groups"]) != len(optimizer.param_groups):
        what = f"the optimizer {type(optimizer).__name__} has {len(optimizer.param_groups)} groups of parameters, and "
        raise CheckpointError(
            f"{what}the checkpoint {len(rest['groups'])}.",
            remedy="The plugin that makes this network has changed since: install the version that run.json names.",
        )
    groups = [
        {**saved, **{name: group[name] for name in OWN_WAYS if name in group}}
        for saved, group in zip(rest["groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            # Files know no layout, and a fused step walks through parameter and averages side by side.
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.stride() != parameter.stride():
                values[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def load_weights(module: nn.Module, tensors: Tensors, where: str) -> None:
    """Loads a state dict whose names and shapes must fit. Raises: CheckpointError with every difference."""
    have = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    want = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    if have != want:
        lines = [
            f"{name}: {have.get(name, 'nothing')} in the checkpoint, {want.get(name, 'nothing')} in the network"
            for name in sorted(have.keys() | want.keys())
            if have.get(name) != want.get(name)
        ]
        raise CheckpointError(
            f"{where} does not fit the network:\n  " + "\n  ".join(lines),
            remedy="The plugin that makes this network has changed since: install the version that run.json names.",
        )
    module.load_state_dict(tensors)


def read_tensors(file: Path, digest: str | None = None) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. digest: the file's SHA-256, where it is known.

    Raises: CheckpointError where the file cannot be read, has another digest, or is of another format.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror}.") from error
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise CheckpointError(f"{file}: its digest does not fit: the file was changed or damaged.")
    try:
        return load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{file}: not a safetensors file: {error}.") from error


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
