"""Sampling a game: in chunks, and with options, which are checked like options of a recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ganzoo.core.data import Batch
from ganzoo.core.game import Game
from ganzoo.errors import RunError
from ganzoo.recipe.check import check
from ganzoo.recipe.options import options_of

CHUNK = 500
"""Samples made at once, so that asking for many needs no more memory."""

NOT_OPTIONS = ("n", "conditions")
"""Parameters of `sample` that are not options."""


def sampling_options(game: Game, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options, checked against the signature of the game's `sample`. name: of the game, for messages.

    Raises: RunError, listing all problems.
    """
    owner = f'sampling of the game "{name}"'
    known = options_of(game.sample, owner=owner, without=NOT_OPTIONS)
    checked = check(given, known, key=("option",), place=lambda _: "--option", owner=owner)
    if checked.problems:
        raise RunError("\n".join(map(str, checked.problems)))
    return {key: checked.values[key] for key in given}


def sample_in_chunks(
    game: Game, n: int, conditions: Batch, options: Mapping[str, Any] | None = None
) -> Iterator[Tensor]:
    """n samples of the game, in parts (at most `CHUNK`, *sample_shape).

    conditions: values (n, ...) by key, empty where samples have none. options: as `sampling_options` checked them.
    """
    for start in range(0, n, CHUNK):
        part = {key: value[start : start + CHUNK] for key, value in conditions.items()}
        yield game.sample(min(CHUNK, n - start), part or None, **(options or {}))
