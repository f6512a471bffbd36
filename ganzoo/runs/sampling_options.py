"""Options of sampling, the keyword parameters of a game's `sample`, which are checked like options of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganzoo.core.game import Game
from ganzoo.errors import RunError
from ganzoo.recipe.check import check
from ganzoo.recipe.options import options_of

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
