"""Records a few rounds of a game: moves, changes of weights, gradients, logged values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.core.game import Move
from ganzoo.core.loop import moves
from ganzoo.training.state import Training

Weights = Mapping[str, list[Tensor]]
"""Player's name -> copies of its parameters."""


class RoundRecorder:
    """A record of some rounds with updates.

    moved: players in the order of their moves; foreign_changes: (player, when) for weights that changed outside of
    their player's update; with_gradient: names of parameters that got a gradient in their player's move; logged: the
    metrics of every move.
    """

    def __init__(self, training: Training, rounds: int) -> None:
        self.training = training
        self.moved: list[str] = []
        self.foreign_changes: list[tuple[str, str]] = []
        self.with_gradient: set[str] = set()
        self.logged: list[tuple[str, Mapping[str, Any]]] = []
        for _ in range(rounds):
            self._round()

    @property
    def without_gradient(self) -> list[str]:
        """Parameters of players that never got a gradient: "generator.network.0.weight"."""
        return [name for name in named_parameters(self.training) if name not in self.with_gradient]

    def _round(self) -> None:
        training = self.training
        before, last = self._weights(), ""
        for move in moves(training.game, training.data, training.autocast):
            self._compare(before, last, f"before the move of {move.player}")
            player = training.players[move.player]
            player.optimizer.zero_grad(set_to_none=True)
            move.loss.backward(inputs=player.parameters)
            self._note(move)
            before, last = self._weights(), ""
            player.optimizer.step()
            self._compare(before, move.player, f"in the update of {move.player}")
            before, last = self._weights(), move.player
        self._compare(before, last, "at the end of the round")

    def _note(self, move: Move) -> None:
        self.moved.append(move.player)
        self.logged.append((move.player, move.metrics))
        self.with_gradient |= {
            f"{move.player}.{name}"
            for name, parameter in self.training.players[move.player].module.named_parameters()
            if parameter.grad is not None
        }

    def _weights(self) -> Weights:
        return {
            name: [parameter.detach().clone() for parameter in player.parameters]
            for name, player in self.training.players.items()
        }

    def _compare(self, before: Weights, allowed: str, when: str) -> None:
        """Records players whose weights changed since `before`, except `allowed`, which may be constrained."""
        for name, player in self.training.players.items():
            if name != allowed and not all(map(torch.equal, before[name], player.parameters)):
                self.foreign_changes.append((name, when))


def named_parameters(training: Training) -> dict[str, nn.Parameter]:
    """Every player's trainable parameters, by "player.name"."""
    return {
        f"{player}.{name}": parameter
        for player, held in training.players.items()
        for name, parameter in held.module.named_parameters()
        if parameter.requires_grad
    }


def graph_leaves(loss: Tensor) -> Iterator[int]:
    """Identities of the parameters in a loss's graph."""
    seen: set[Any] = set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield id(node.variable)
        waiting += [following for following, _ in node.next_functions]
