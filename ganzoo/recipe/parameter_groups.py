"""A player's optimizer: over all of its parameters, or in the groups that its module asks for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ganzoo.errors import PluginError
from ganzoo.recipe.messages import did_you_mean
from ganzoo.recipe.model import Choice
from ganzoo.recipe.parts import build

METHOD = "parameter_groups"
"""What a module offers that wants groups: a method without parameters, which returns a sequence of mappings. Each has
`params`, and may have `lr_factor` and options of the optimizer."""

TOGETHER = (nn.ModuleDict, nn.ModuleList)
"""Modules that are no more than several networks, each of which may ask for groups."""


class ParameterGroupsError(PluginError):
    """The groups that a network asks for are wrong: every parameter that learns is to be in one of them."""


def build_optimizer(choice: Choice, player: str, module: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a player's module, over those of its parameters that learn.

    It is built over all of them as one group, as every optimizer expects it, and then divided: no optimizer has to know
    of groups. Raises: BuildError where its constructor fails, ParameterGroupsError.
    """
    optimizer: torch.optim.Optimizer = build(choice, [each for each in module.parameters() if each.requires_grad])
    if asks(module):
        divide(optimizer, checked(list(groups_of(module)), player, module), player)
    return optimizer


def asks(module: nn.Module) -> bool:
    """Whether a player's module, or one of several that are optimised together, asks for groups."""
    own = getattr(module, METHOD, None)
    return (callable(own) and not isinstance(own, nn.Module)) or (
        isinstance(module, TOGETHER) and any(map(asks, module.children()))
    )


def groups_of(module: nn.Module) -> Iterator[dict[str, Any]]:
    """The groups that a module asks for; all of its parameters where it asks for none."""
    if not asks(module):
        yield {"params": list(module.parameters())}
    elif hasattr(module, METHOD):
        yield from (dict(group) for group in getattr(module, METHOD)())
    else:
        for each in module.children():
            yield from groups_of(each)


def checked(groups: Sequence[Mapping[str, Any]], player: str, module: nn.Module) -> list[dict[str, Any]]:
    """The groups with lists of the parameters that learn. Raises: ParameterGroupsError."""
    owner = f"{METHOD}() of the player {player}"
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    seen: dict[int, int] = {}
    made = []
    for number, group in enumerate(groups):
        if "params" not in group:
            raise ParameterGroupsError(f"{owner}: group {number} has no `params`.", remedy=AUTHOR_REMEDY)
        parameters = [group["params"]] if isinstance(group["params"], nn.Parameter) else list(group["params"])
        if any(id(each) not in names for each in parameters):
            raise ParameterGroupsError(
                f"{owner}: group {number} holds what is no parameter of it.", remedy=AUTHOR_REMEDY
            )
        for each in parameters:
            seen[id(each)] = seen.get(id(each), 0) + 1
        made.append({**group, "params": [each for each in parameters if each.requires_grad]})
    twice = [names[key] for key, times in seen.items() if times > 1]
    missing = [name for name, each in module.named_parameters() if each.requires_grad and id(each) not in seen]
    for wrong, how in ((twice, "more than once"), (missing, "in no group")):
        if wrong:
            raise ParameterGroupsError(f"{owner} has {listed(wrong)} {how}.", remedy=AUTHOR_REMEDY)
    return [group for group in made if group["params"]]


def divide(optimizer: torch.optim.Optimizer, groups: Iterable[Mapping[str, Any]], player: str) -> None:
    """Makes of each group of a new optimizer one for each of `groups` that it has parameters of.

    Raises: ParameterGroupsError.
    """
    divided = []
    for whole in optimizer.param_groups:
        held = {id(parameter) for parameter in whole["params"]}
        for group in groups:
            params = [parameter for parameter in group["params"] if id(parameter) in held]
            if not params:
                continue
            options = {name: value for name, value in group.items() if name not in ("params", "lr_factor")}
            rate = whole["lr"] * factor_of(group, player)
            refuse_unknown(options, whole, player, type(optimizer).__name__)
            divided.append({**whole, **options, "params": params, "lr": rate})
    optimizer.param_groups[:] = divided


def factor_of(group: Mapping[str, Any], player: str) -> float:
    """A group's factor on the learning rate. Raises: ParameterGroupsError."""
    factor = group.get("lr_factor", 1.0)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
        what = f"{METHOD}() of the player {player}: lr_factor should be a number above 0; found {factor!r}."
        raise ParameterGroupsError(what, remedy=AUTHOR_REMEDY)
    return float(factor)


def refuse_unknown(options: Mapping[str, Any], whole: Mapping[str, Any], player: str, optimizer: str) -> None:
    """Raises: ParameterGroupsError for an option that the optimizer does not have, and for a learning rate."""
    known = [name for name in whole if name not in ("params", "lr")]
    for name in options:
        if name not in known:
            what = f'{METHOD}() of the player {player}: "{name}" is not an option of a group of {optimizer}.'
            near = "lr_factor" if name == "lr" else ""
            said = f"Did you mean {near}? " if near else did_you_mean(name, [*known, "lr_factor"])
            raise ParameterGroupsError(what, remedy=f"{said}Options: lr_factor, {', '.join(known)}.")


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names with commas, of many the first."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


AUTHOR_REMEDY = "This is for the plugin's author to mend: every parameter that learns is in one group, once."
