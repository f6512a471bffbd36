"""Samples of one domain, translated to the other by a game."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ganzoo.core.game import Game
from ganzoo.core.random_streams import own_randomness, seed_everything
from ganzoo.errors import RunError
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.messages import did_you_mean
from ganzoo.recipe.shape_errors import error_summary

NUMBERS = 2**18
"""Numbers of each channel translated at once, so that many need no more memory: four images of 256 x 256."""


def translated(game: Game, samples: Tensor, direction: str, *, kinds: FieldKinds, owner: str) -> Tensor:
    """Translates samples (n, *shape) from the source to the target domain of `direction`. owner: the run, for messages.

    Raises: RunError where they are of another shape, or the game's network does not take their size.
    """
    shape, plural = kinds.unit_shape(source_of(direction)), kinds.sample.plural
    if len(samples.shape) != 1 + len(shape) or samples.shape[1] != shape[0]:
        raise RunError(
            f"{owner}: {plural} of shape {tuple(samples.shape)} cannot be translated.",
            remedy=f"The game learned from (n, {', '.join(map(str, shape))}).",
        )
    at_once = max(1, NUMBERS // math.prod(samples.shape[2:]))
    try:
        with own_randomness(torch.device("cpu")), torch.no_grad():
            seed_everything(0)
            parts = [game.translate(part, direction) for part in samples.split(at_once)]
    except RuntimeError as error:
        size = " x ".join(map(str, reversed(samples.shape[2:])))
        raise RunError(
            f"{owner}: its network takes no {plural} of {size}: {error_summary(error)}",
            remedy=f"It learned from {' x '.join(map(str, reversed(shape[1:])))}.",
        ) from error
    return torch.cat(parts)


def chosen_direction(directions: Sequence[str], name: str, *, owner: str) -> str:
    """The direction of that name, or the only one where none is named. owner: for messages. Raises: RunError."""
    if not directions:
        raise RunError(f"{owner} does not translate.", remedy="Leave the input out.")
    if name in directions:
        return name
    if not name and len(directions) == 1:
        return directions[0]
    what = f'no direction "{name}"' if name else "several directions"
    near = did_you_mean(name, directions) if name else ""
    raise RunError(f"{owner} has {what}.", remedy=f"{near}Choose from: {', '.join(directions)}.")


def source_of(direction: str) -> str:
    """The key that a direction goes from: "a" for "a2b"."""
    return direction.partition("2")[0]


def target_of(direction: str) -> str:
    """The key that a direction leads to: "b" for "a2b"."""
    return direction.partition("2")[2]
