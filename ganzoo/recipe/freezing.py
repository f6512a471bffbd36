"""Modules and parameters that a recipe keeps from learning: [start] freeze."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from torch import nn

from ganzoo.recipe.messages import did_you_mean, format_value
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.shape_errors import Mismatch, MismatchError, player_remedy

KEY = "start.freeze"


def freeze(recipe: Recipe, players: Mapping[str, nn.Module]) -> dict[str, int]:
    """Lets no gradient reach what start.freeze names: their `requires_grad` becomes False.

    Returns: of each path how many numbers are frozen by it. Raises: MismatchError for every path that is none, and for
    every player that has nothing left to learn.
    """
    frozen: dict[str, int] = {}
    wrong: list[Mismatch] = []
    for path in recipe.start.freeze if recipe.start else ():
        try:
            parameters = parameters_at(path, players)
        except MismatchError as error:
            wrong += error.mismatches
            continue
        frozen[path] = sum(parameter.numel() for parameter in parameters.values())
        for parameter in parameters.values():
            parameter.requires_grad_(False)
    for player, module in players.items():
        if any(under(path, player) for path in frozen) and not any(each.requires_grad for each in module.parameters()):
            what = f"{KEY} leaves the player {player} nothing to learn."
            wrong.append(Mismatch(KEY, what, f"Freeze some of its modules: {', '.join(parts_of(player, module))}."))
    if wrong:
        raise MismatchError(*wrong)
    return frozen


def frozen_parameters(recipe: Recipe, players: Mapping[str, nn.Module]) -> set[str]:
    """The whole paths of all parameters that start.freeze names. Raises: MismatchError for a path that is none."""
    paths = recipe.start.freeze if recipe.start else ()
    return {name for path in paths for name in parameters_at(path, players)}


def parameters_at(path: str, players: Mapping[str, nn.Module]) -> dict[str, nn.Parameter]:
    """The parameters at a path under a player, by their whole paths: all of a module's, or one.

    Raises: MismatchError where nothing is there.
    """
    player = next((name for name in players if under(path, name)), None)
    if player is None:
        what = f"{KEY}: {format_value(path)} is not under a player."
        raise MismatchError(Mismatch(KEY, what, player_remedy(path.partition(".")[0], players)))
    module = players[player]
    found = {
        whole: parameter for name, parameter in module.named_parameters() if under(whole := f"{player}.{name}", path)
    }
    if found:
        return found
    names = [name for name, _ in module.named_modules() if name]
    if path.removeprefix(f"{player}.") in names:
        what = f"{KEY}: {format_value(path)} has no parameters, so that there is nothing to freeze."
        raise MismatchError(Mismatch(KEY, what, f"With parameters there are: {', '.join(parts_of(player, module))}."))
    known = [f"{player}.{name}" for name in (*names, *(name for name, _ in module.named_parameters()))]
    what = f"{KEY}: {format_value(path)} is neither a module nor a parameter of {player}."
    near = get_close_matches(path, known, n=1, cutoff=0.5)
    remedy = did_you_mean(path, known) if near else ""
    raise MismatchError(Mismatch(KEY, what, f"{remedy}There are: {', '.join(parts_of(player, module))}."))


def parts_of(player: str, module: nn.Module, most: int = 24) -> list[str]:
    """The innermost modules of a player that have parameters of their own, by their paths."""
    names = {name.rpartition(".")[0] for name, _ in module.named_parameters()}
    parts = [f"{player}.{name}" for name, _ in module.named_modules() if name in names and name]
    return parts if len(parts) <= most else [*parts[:most], f"and {len(parts) - most} more"]


def under(path: str, other: str) -> bool:
    """Whether a path is another one or lies inside it."""
    return path == other or path.startswith(f"{other}.")
