"""Whether a saved optimizer state is one of that optimizer: checked before it is loaded, since a step would fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import CheckpointError

OF_THE_PARAMETERS_SHAPE = (
    "exp_avg",
    "exp_avg_sq",
    "max_exp_avg_sq",
    "exp_inf",
    "momentum_buffer",
    "square_avg",
    "grad_avg",
)
"""States that have the shape of their parameter in all of torch's optimizers."""

TORCHS = tuple(getattr(torch.optim, name) for name in ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SGD"))


def check_optimizer_state(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], rest: Mapping[str, Any], where: str
) -> dict[int, dict[str, Any]]:
    """The saved state by number of the parameter and name, from "0.exp_avg" -> value.

    tensors, rest: as `pack_optimizer` gave them; where: the file, for messages.
    Raises: CheckpointError for another number of groups, names that are none, values of another type than the built
    optimizer's, and tensors whose shapes are not the parameters'.
    """

    def wrong(what: str) -> CheckpointError:
        remedy = "The plugin that makes this network has changed since: install the version that run.json names."
        return CheckpointError(f"{where}: {what}.", remedy=remedy)

    name = type(optimizer).__name__
    groups = optimizer.param_groups
    if len(rest["groups"]) != len(groups):
        said = f"{len(groups)} groups of parameters, and the checkpoint {len(rest['groups'])}"
        raise wrong(f"the optimizer {name} has {said}")
    for number, (saved, group) in enumerate(zip(rest["groups"], groups, strict=True)):
        for key, value in group.items():
            if key != "params" and key in saved and not alike(saved[key], value):
                raise wrong(
                    f"groups[{number}].{key} of the optimizer {name} should be like {value}, not {saved[key]}"[:300]
                )
    parameters = [parameter for group in groups for parameter in group["params"]]
    torchs = isinstance(optimizer, TORCHS)
    state: dict[int, dict[str, Any]] = {}
    for label, value in (*tensors.items(), *rest["state"].items()):
        index, _, key = label.partition(".")
        if not (index.isascii() and index.isdecimal() and len(index) < 10 and key and int(index) < len(parameters)):
            raise wrong(f'"{label[:100]}" is no state of the optimizer {name} over {len(parameters)} parameters')
        shape = parameters[int(index)].shape
        if torchs and key in OF_THE_PARAMETERS_SHAPE and isinstance(value, Tensor) and value.shape != shape:
            raise wrong(f"{label} has the shape {tuple(value.shape)}, and its parameter {tuple(shape)}")
        state.setdefault(int(index), {})[key] = value
    return state


def alike(saved: Any, built: Any) -> bool:
    """Whether a saved option can take the place of the built optimizer's."""
    if saved is None or built is None:
        return True
    if isinstance(built, Tensor):
        return is_number(saved)
    if isinstance(built, list | tuple):
        return isinstance(saved, list | tuple) and len(saved) == len(built) and all(map(alike, saved, built))
    if is_number(built):
        return is_number(saved)
    return isinstance(saved, type(built)) or not isinstance(built, bool | str)


def is_number(value: Any) -> bool:
    """Whether a value is a number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
