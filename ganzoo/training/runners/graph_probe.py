"""What there is to know of a game before its networks are compiled, seen in rounds that leave no trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from ganzoo.core.game import Draw, Game, Move
from ganzoo.core.loop import play_round
from ganzoo.errors import TrainingFailed

if TYPE_CHECKING:
    from ganzoo.training.state import Training

Still = tuple[frozenset[str], ...]
"""For each move of a round the players whose parameters are frozen while it is computed."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One round, seen.

    networks: names of the modules with parameters that the game calls, not those that they call in turn; twice: those
    of them that a gradient penalty or the like differentiates twice; movers: the player of each move; ways: for each
    move, how often each kind of node of the autograd graph leads from its loss to the player's parameters.
    """

    networks: tuple[str, ...]
    twice: frozenset[str]
    movers: tuple[str, ...]
    ways: tuple[Counter[str], ...]


class StandStill:
    """A game in which the players that a move does not move are frozen while it is computed, as far as `still` says."""

    def __init__(self, training: Training, still: Still) -> None:
        self.game = training.game
        self.players = training.players
        self.still = still

    def play(self, draw: Draw) -> Iterator[Move]:
        """The game's moves. Raises: TrainingFailed where a player moves that should stand still."""
        moves = self.game.play(draw)
        for number in count():
            still = self.still[number] if number < len(self.still) else frozenset[str]()
            with frozen([self.players[name].parameters for name in still]):
                move = next(moves, None)
            if move is None:
                return
            if move.player in still:
                raise TrainingFailed(
                    f"move {number + 1} of a round is now one of {move.player}, which it was not in the first round.",
                    remedy='Set train.runner = "eager": this game changes its moves as it goes.',
                )
            yield move


@contextmanager
def frozen(players: Iterable[Sequence[nn.Parameter]]) -> Iterator[None]:
    """Inside, these parameters ask for no gradient."""
    parameters = [parameter for player in players for parameter in player]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def look(training: Training, still: Still = ()) -> Sight:
    """Plays one round without a trace, its players standing still as `still` says."""
    game, networks, twice = training.game, dict[str, None](), set[str]()
    inside: list[nn.Module] = []
    named = {module: name for name, module in game.named_modules() if name}
    movers: list[str] = []
    ways: list[Counter[str]] = []

    def enter(module: nn.Module, _: Any) -> None:
        if not inside:
            networks[named[module]] = None
        inside.append(module)

    def leave(module: nn.Module, _: Any, output: Any) -> None:
        inside.pop()
        if not inside and isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(lambda _: twice.add(named[module]) if torch.is_grad_enabled() else None)

    class Seen:
        def play(self, draw: Draw) -> Iterator[Move]:
            for move in StandStill(training, still).play(draw):
                movers.append(move.player)
                ways.append(ways_to(move.loss, training.players[move.player].parameters))
                yield move

    handles = []
    for module in named:
        if next(module.parameters(), None) is not None:
            handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave, always_call=True)]
    try:
        with training.rehearsed():
            play_round(cast(Game, Seen()), training.data, training.players, training.means, training.autocast)
    finally:
        for handle in handles:
            handle.remove()
    return Sight(tuple(networks), frozenset(twice), tuple(movers), tuple(ways))


def who_stands_still(training: Training, sight: Sight) -> Still:
    """Whom each move may freeze: all other players, where no loss of the round loses a way to what it moves.

    A forward pass during one move may serve a later one, as a translator's does; it must not be cut off from its
    parameters then.
    """
    others = tuple(frozenset(training.players) - {mover} for mover in sight.movers)
    if _keeps_ways(training, sight, others):
        return others
    still = [frozenset[str]()] * len(others)
    for number, players in enumerate(others):
        if _keeps_ways(training, sight, (*still[:number], players)):
            still[number] = players
    return tuple(still)


def _keeps_ways(training: Training, sight: Sight, still: Still) -> bool:
    try:
        return look(training, still).ways == sight.ways
    except RuntimeError:  # a loss that has no way to anything left
        return False


def ways_to(loss: Tensor, parameters: Iterable[nn.Parameter]) -> Counter[str]:
    """The nodes of a loss's graph from which its gradient goes on to one of the parameters, counted by kind."""
    wanted = {id(parameter) for parameter in parameters}
    leads: dict[Any, bool] = {}
    open_nodes: list[tuple[Any, bool]] = [(loss.grad_fn, False)]
    while open_nodes:
        node, done = open_nodes.pop()
        if done:
            leads[node] = id(getattr(node, "variable", None)) in wanted or any(
                leads.get(following, False) for following, _ in node.next_functions if following is not None
            )
        elif node is not None and node not in leads:
            leads[node] = False
            open_nodes.append((node, True))
            open_nodes += [(following, False) for following, _ in node.next_functions]
    return Counter(node.name() for node, leading in leads.items() if leading)
