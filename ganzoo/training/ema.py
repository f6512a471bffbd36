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

    @property
    def updates(self) -> int:
        """Updates so far."""
        return max((int(averaged.n_averaged) for averaged in self.averaged.values()), default=0)

    def shares(self, step: int, *, first: bool) -> tuple[float, float]:
        """What an update after `step` rounds takes of the old average and of the weights: the first only of these."""
        kept = 0.0 if first else self.kept(step)
        return kept, 1.0 - kept

    def blend(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """An update by shares that are on the device, so that a captured round can hold it. It does not count."""
        for name, averaged in self.averaged.items():
            mine: list[torch.Tensor] = list(averaged.module.parameters())
            theirs: list[torch.Tensor] = list(self.players[name].parameters())
            with torch.no_grad():
                if new.is_cpu:
                    for average, weight in zip(mine, theirs, strict=True):
                        average.lerp_(weight, new)
                else:
                    torch._foreach_mul_(mine, old)
                    torch._foreach_add_(mine, list(torch._foreach_mul(theirs, new)))
                for buffer, current in zip(averaged.module.buffers(), self.players[name].buffers(), strict=True):
                    buffer.copy_(current)

    def count(self, updates: int) -> None:
        """Counts so many updates that `blend` made."""
        for averaged in self.averaged.values():
            averaged.n_averaged += updates

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
