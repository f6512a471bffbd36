"""Whose weights does a game hand to each regularizer? Watched over one round, before training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from ganzoo.core.interfaces import Regularizer
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.shape_errors import Mismatch, MismatchError, player_remedy


def without_player(
    recipe: Recipe, made: Sequence[tuple[str, Regularizer]], players: Mapping[str, nn.Module]
) -> Iterator[Mismatch]:
    """Regularizers of players that the game does not have. made: with the recipe's table of each."""
    for table, rule in made:
        if rule.player not in players:
            what = f'{said(recipe, table)} works on a player "{rule.player}", and the game "{recipe.game.entry.name}"'
            yield Mismatch(table, f"{what} has no player of that name.", player_remedy(rule.player, players))


class RegularizerCheck:
    """Follows every call of the regularizers, so that none is left out or handed another player's network."""

    def __init__(
        self, recipe: Recipe, made: Sequence[tuple[str, Regularizer]], players: Mapping[str, nn.Module]
    ) -> None:
        self.recipe = recipe
        self.made = made
        self.owned = {name: {id(parameter) for parameter in module.parameters()} for name, module in players.items()}
        self.called: set[tuple[str, str]] = set()
        for table, rule in made:
            for method in ("penalty", "constrain"):
                setattr(rule, method, self.watched(table, rule, method))

    def watched(self, table: str, rule: Regularizer, method: str) -> Any:
        """The method, which looks at the network that it is called with. Raises: MismatchError."""
        original = getattr(rule, method)

        def call(network: Any, *rest: Any, **named: Any) -> Any:
            self.called.add((table, method))
            given = {id(parameter) for parameter in network.parameters()} if isinstance(network, nn.Module) else set()
            if given and given.isdisjoint(self.owned[rule.player]):
                owner = next((name for name, own in self.owned.items() if given & own), "nobody")
                what = f"hands {said(self.recipe, table)} the network of {owner}, and it works on that of {rule.player}"
                raise MismatchError(Mismatch(table, f"{self.game()} {what}.", "That is a fault of the game's."))
            return original(network, *rest, **named)

        return call

    def left_out(self) -> Iterator[Mismatch]:
        """Regularizers whose penalty or constraint the round never asked for."""
        for table, rule in self.made:
            for method in ("penalty", "constrain"):
                own = getattr(type(rule), method) is not getattr(Regularizer, method)
                if own and (table, method) not in self.called:
                    what = f"{self.game()} does not apply {said(self.recipe, table)} to the player {rule.player}."
                    yield Mismatch(table, what, f"Take it out: in a round the game never calls its `{method}`.")
                    break

    def game(self) -> str:
        """The game, as messages name it."""
        return f'the game "{self.recipe.game.entry.name}"'


def said(recipe: Recipe, table: str) -> str:
    """A regularizer, as messages name it."""
    choice = next(choice for choice in recipe.regularizers if choice.table == table)
    return f'the regularizer "{choice.entry.name}"'
