"""The adversarial loop: a round of the game, with the player that moved updated before the next one moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from ganzoo.core.game import Draw, Game, Move
from ganzoo.core.gradient_clipping import GradientClipping
from ganzoo.core.interfaces import Schedule


@dataclass(slots=True)
class Player:
    """A network (or several optimised together), its optimizer, and the course of its learning rate.

    clipping: of its gradients, which the optimizer does before its step.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule | None = None
    clipping: GradientClipping | None = None
    parameters: list[nn.Parameter] = field(init=False)
    base_rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]

    def follow_schedule(self, progress: float) -> None:
        """Sets the learning rate for `progress` in [0, 1] of the budget."""
        if self.schedule is not None:
            for group, rate in zip(self.optimizer.param_groups, self.rates(progress), strict=True):
                group["lr"] = rate

    def rates(self, progress: float) -> list[float]:
        """The learning rate of each of the optimizer's groups at `progress` in [0, 1] of the budget."""
        factor = 1.0 if self.schedule is None else self.schedule(progress)
        return [rate * factor for rate in self.base_rates]

    def gradient_norm(self) -> Tensor | None:
        """The Euclidean norm of the gradient of its last move, before it was clipped; None before the first move."""
        found = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if found and self.clipping:
            return self.clipping.norm
        return get_total_norm(found) if found else None


class Means:
    """Means of what the moves log, kept on the device: nothing waits for a GPU until a row is written."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, move: Move) -> None:
        """Takes in a move's loss and metrics."""
        for name, value in ((f"loss/{move.player}", move.loss.detach()), *move.metrics.items()):
            if name in self.sums:
                self.sums[name] += value
            else:
                self.sums[name] = value.to(torch.float32, copy=True)
            self.counts[name] = self.counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        """The means since `clear`. The one place where the host waits for the device."""
        return {name: self.sums[name].item() / count for name, count in self.counts.items()}

    def clear(self) -> None:
        """Begins a new window. The sums stay where they are, for a captured round goes on adding to them."""
        for total in self.sums.values():
            total.zero_()
        self.counts.clear()


def play_round(game: Game, draw: Draw, players: Mapping[str, Player], means: Means, autocast: torch.autocast) -> None:
    """One step of training: every move of one round, each followed by its player's update."""
    for move in moves(game, draw, autocast):
        player = players[move.player]
        player.optimizer.zero_grad(set_to_none=True)
        move.loss.backward(inputs=player.parameters)  # gradients for this player only
        player.optimizer.step()
        means.add(move)


def moves(game: Game, draw: Draw, autocast: torch.autocast) -> Iterator[Move]:
    """The game's moves, computed under autocast; updates happen outside of it, between them."""
    play = game.play(draw)
    while True:
        with autocast:
            move = next(play, None)
        if move is None:
            return
        yield move
