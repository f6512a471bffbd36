"""Exponential moving averages (EMA) of players' weights (arXiv:1806.04498), from which grids and samples are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverages:
    """The EMA of each named player's parameters, updated after a round; buffers are copied, not averaged.

    The averaging window is warmed up: about a ninth of the steps so far, up to that of `decay`. Otherwise the first
    grids would show mostly untrained weights.
    """

    def __init__(self, players: Mapping[str, nn.Module], *, decay: float, every: int = 1) -> None:
        self.players = dict(players)
        self.decay = decay
        self.every = every
        self._decay_of_update = 0.0
        self.averaged = {name: AveragedModel(module, multi_avg_fn=self._average) for name, module in players.items()}
        for averaged in self.averaged.values():
            averaged.requires_grad_(False)

    def update(self, step: int) -> None:
        """Updates the averages with the weights after `step` rounds."""
        if step % self.every == 0:
            self._decay_of_update = self.effective_decay(step)
            for name, averaged in self.averaged.items():
                averaged.update_parameters(self.players[name])

    @property
    def updates(self) -> int:
        """The number of updates so far."""
        return max((int(averaged.n_averaged) for averaged in self.averaged.values()), default=0)

    def coefficients(self, step: int, *, first: bool) -> tuple[float, float]:
        """The coefficients of average and weights in the update after `step` rounds: 0 and 1 in the first."""
        effective_decay = 0.0 if first else self.effective_decay(step)
        return effective_decay, 1.0 - effective_decay

    def update_by_tensors(self, old: torch.Tensor, new: torch.Tensor) -> None:
        """An update with coefficients that are tensors on the device, so that it can be captured. It is not counted."""
        for name, averaged in self.averaged.items():
            averages: list[torch.Tensor] = list(averaged.module.parameters())
            weights: list[torch.Tensor] = list(self.players[name].parameters())
            with torch.no_grad():
                if new.is_cpu:
                    for average, weight in zip(averages, weights, strict=True):
                        average.lerp_(weight, new)
                else:
                    torch._foreach_mul_(averages, old)
                    torch._foreach_add_(averages, list(torch._foreach_mul(weights, new)))
                for buffer, current in zip(averaged.module.buffers(), self.players[name].buffers(), strict=True):
                    buffer.copy_(current)

    def count(self, updates: int) -> None:
        """Counts updates that were made by `update_by_tensors`."""
        for averaged in self.averaged.values():
            averaged.n_averaged += updates

    def effective_decay(self, step: int) -> float:
        """The coefficient of the old average in the update after `step` rounds: the decay to the power of `every`, so
        that the averaging window in steps does not depend on `every`.
        """
        return float(min(self.decay, (1 + step) / (10 + step)) ** self.every)

    def _average(self, averaged: Any, current: Any, count: Any) -> None:
        get_ema_multi_avg_fn(self._decay_of_update)(averaged, current, count)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the players have their averaged weights; on leaving, their own again (tensors are swapped)."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, player in self.players.items():
            averaged = self.averaged[name].module
            for averages, other in zip(_tensors(player), _tensors(averaged), strict=True):
                averages.data, other.data = other.data, averages.data


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()
