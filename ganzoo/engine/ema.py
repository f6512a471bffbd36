"""Exponential moving averages of players' weights (as in arXiv:1806.04498), which grids and samples show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Averages:
    """The running average of each named player, updated after a round; buffers are copied, not averaged.

    The memory grows with the run up to that of `decay`: it is a ninth of the steps so far, or the first grids would
    show little but the weights that nothing had trained yet.
    """

    def __init__(self, players: Mapping[str, nn.Module], *, decay: float, every: int = 1) -> None:
        self.players = dict(players)
        self.decay = decay
        self.every = every
        self._kept = 0.0
        self.averaged = {name: AveragedModel(module, multi_avg_fn=self._average) for name, module in players.items()}
        for averaged in self.averaged.values():
            averaged.requires_grad_(False)

    def update(self, step: int) -> None:
        """Takes in the weights as they are after `step` rounds."""
        if step % self.every == 0:
            self._kept = self.kept(step)
            for name, averaged in self.averaged.items():
                averaged.update_parameters(self.players[name])

    def kept(self, step: int) -> float:
        """The share of the old average that the update after `step` rounds keeps: the decay of `every` steps at once,
        so that the memory in steps does not depend on `every`.
        """
        return float(min(self.decay, (1 + step) / (10 + step)) ** self.every)

    def _average(self, averaged: Any, current: Any, count: Any) -> None:
        get_ema_multi_avg_fn(self._kept)(averaged, current, count)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside, the players hold their averages; afterwards their own weights again (tensors trade places)."""
        self._trade_places()
        try:
            yield
        finally:
            self._trade_places()

    def _trade_places(self) -> None:
        for name, player in self.players.items():
            averaged = self.averaged[name].module
            for mine, other in zip(_tensors(player), _tensors(averaged), strict=True):
                mine.data, other.data = other.data, mine.data


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()
