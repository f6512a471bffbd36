"""Parameter counts and plans of the networks that a recipe's game builds for given data.

They are built on torch's meta device, as in the dry run, so that neither data nor memory is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ganzoo.core.data import DatasetInfo, Shape
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import GanzooError
from ganzoo.plugins import contained, error_location
from ganzoo.recipe.dry_run import about_meta, count
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import BuildError, build
from ganzoo.recipe.shape_errors import RecordingParts, build_mismatch, error_summary


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    """One network of a game.

    table: the recipe's table that chose it; name: on its shelf; sample_shape: that it was built for; parameters: the
    number of trainable parameters; plan: the result of its method `plan()` as one line, "" without such a method.
    """

    table: str
    name: str
    sample_shape: Shape
    parameters: int
    plan: str


def network_plans(recipe: Recipe, info: DatasetInfo) -> list[NetworkPlan]:
    """The networks that the recipe's game builds for data like `info`, in the order in which it builds them.

    Raises: GanzooError where a constructor fails. Global random states are unchanged.
    """
    with own_randomness(torch.device("cpu")):
        try:
            try:
                return list(_build_plans(recipe, info, torch.device("meta")))
            except BuildError as error:
                if not about_meta(error):
                    raise
                return list(_build_plans(recipe, info, torch.device("cpu")))
        except BuildError as error:
            failure = build_mismatch(recipe, error)
            raise GanzooError(failure.what, remedy=failure.remedy) from error


def plan_of(network: nn.Module) -> str:
    """The result of the network's method `plan()` as one line; "" where it has none."""
    plan = getattr(network, "plan", None)
    if not callable(plan) or isinstance(plan, nn.Module):
        return ""
    try:
        with contained():
            return " ".join(str(plan()).split())
    except Exception as error:  # a plugin's code
        return f"unknown: plan() fails: {error_summary(error)}{error_location(error)}"


def _build_plans(recipe: Recipe, info: DatasetInfo, device: torch.device) -> Iterator[NetworkPlan]:
    parts = RecordingParts(recipe, info)
    with torch.device(device):
        build(recipe.game, parts)
    names = {choice.table: choice.entry.name for choice in recipe.choices()}
    for table, network, shape in parts.networks():
        yield NetworkPlan(
            table=table,
            name=names[table],
            sample_shape=shape,
            parameters=count(network),
            plan=plan_of(network),
        )
