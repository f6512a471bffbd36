"""Probes the autograd graph of a game by playing a round whose effects are undone, before networks are compiled."""

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

FrozenPlayers = tuple[frozenset[str], ...]
"""For each move of a round, the players whose parameters are frozen while its loss is computed."""


@dataclass(frozen=True, slots=True)
class GraphProbe:
    """What one round showed.

    networks: names of the modules with parameters that the game calls directly.
    differentiated_twice: those of them that something, such as a gradient penalty, differentiates twice.
    moving_players: the player of each move.
    gradient_paths: for each move, the autograd nodes between its loss and its player's parameters, counted by type.
    """

    networks: tuple[str, ...]
    differentiated_twice: frozenset[str]
    moving_players: tuple[str, ...]
    gradient_paths: tuple[Counter[str], ...]


class FrozenPlayersGame:
    """A game whose moves are computed with the players in `frozen` frozen, move by move."""

    def __init__(self, training: Training, frozen: FrozenPlayers) -> None:
        self.game = training.game
        self.players = training.players
        self.frozen = frozen

    def play(self, draw: Draw) -> Iterator[Move]:
        """The game's moves. Raises: TrainingFailed if a frozen player moves."""
        moves = self.game.play(draw)
        for number in count():
            frozen = self.frozen[number] if number < len(self.frozen) else frozenset[str]()
            with frozen_parameters([self.players[name].parameters for name in frozen]):
                move = next(moves, None)
            if move is None:
                return
            if move.player in frozen:
                raise TrainingFailed(
                    f"move {number + 1} of a round is now one of {move.player}, which it was not in the first round.",
                    remedy='Set train.runner = "eager": this game changes its moves as it goes.',
                )
            yield move


@contextmanager
def frozen_parameters(players: Iterable[Sequence[nn.Parameter]]) -> Iterator[None]:
    """Inside, the parameters have `requires_grad` off."""
    parameters = [parameter for player in players for parameter in player]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def probe_game(training: Training, frozen: FrozenPlayers = ()) -> GraphProbe:
    """Plays one round, whose effects are undone, with players frozen as `frozen` says."""
    game, networks, differentiated_twice = training.game, dict[str, None](), set[str]()
    inside: list[nn.Module] = []
    named = {module: name for name, module in game.named_modules() if name}
    moving_players: list[str] = []
    gradient_paths: list[Counter[str]] = []

    def enter(module: nn.Module, _: Any) -> None:
        if not inside:
            networks[named[module]] = None
        inside.append(module)

    def leave(module: nn.Module, _: Any, output: Any) -> None:
        inside.pop()
        if not inside and isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(lambda _: differentiated_twice.add(named[module]) if torch.is_grad_enabled() else None)

    class ProbedGame:
        def play(self, draw: Draw) -> Iterator[Move]:
            for move in FrozenPlayersGame(training, frozen).play(draw):
                moving_players.append(move.player)
                gradient_paths.append(count_gradient_paths(move.loss, training.players[move.player].parameters))
                yield move

    handles = []
    for module in named:
        if next(module.parameters(), None) is not None:
            handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave, always_call=True)]
    try:
        with training.rehearsed():
            play_round(cast(Game, ProbedGame()), training.data, training.players, training.means, training.autocast)
    finally:
        for handle in handles:
            handle.remove()
    return GraphProbe(tuple(networks), frozenset(differentiated_twice), tuple(moving_players), tuple(gradient_paths))


def players_to_freeze(training: Training, probe: GraphProbe) -> FrozenPlayers:
    """The players that each move may freeze: all others, unless a loss of the round then loses a gradient path.

    A forward pass during one move may be used in the loss of a later one (as CycleGAN's translators are), and must stay
    connected to its parameters.
    """
    others = tuple(frozenset(training.players) - {moving_player} for moving_player in probe.moving_players)
    if _keeps_gradient_paths(training, probe, others):
        return others
    frozen = [frozenset[str]()] * len(others)
    for number, players in enumerate(others):
        if _keeps_gradient_paths(training, probe, (*frozen[:number], players)):
            frozen[number] = players
    return tuple(frozen)


def _keeps_gradient_paths(training: Training, probe: GraphProbe, frozen: FrozenPlayers) -> bool:
    try:
        return probe_game(training, frozen).gradient_paths == probe.gradient_paths
    except RuntimeError:  # a loss without any path left
        return False


def count_gradient_paths(loss: Tensor, parameters: Iterable[nn.Parameter]) -> Counter[str]:
    """The nodes of a loss's autograd graph that lead to one of the parameters, counted by type."""
    wanted = {id(parameter) for parameter in parameters}
    reaches: dict[Any, bool] = {}
    open_nodes: list[tuple[Any, bool]] = [(loss.grad_fn, False)]
    while open_nodes:
        node, done = open_nodes.pop()
        if done:
            reaches[node] = id(getattr(node, "variable", None)) in wanted or any(
                reaches.get(following, False) for following, _ in node.next_functions if following is not None
            )
        elif node is not None and node not in reaches:
            reaches[node] = False
            open_nodes.append((node, True))
            open_nodes += [(following, False) for following, _ in node.next_functions]
    return Counter(node.name() for node, leading in reaches.items() if leading)
