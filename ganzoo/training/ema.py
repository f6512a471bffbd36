"""Exponential moving averages (EMA) of players' weights (arXiv:1806.04498), from which grids and samples are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverages:
    """The EMA of each named player's parameters, updated after a round, and of the statistics of its batch norms.

    Other buffers are copied. The averaging window is warmed up: to a ninth of the steps so far, up to that of `decay`,
    and less before `warmup` steps. Otherwise the first grids would show mostly weights that were hardly trained.

    statistics: whether those of batch norms are averaged; else they are copied, and belong to weights that are others.
    """

    def __init__(
        self,
        players: Mapping[str, nn.Module],
        *,
        decay: float,
        every: int = 1,
        warmup: int = 0,
        statistics: bool = True,
    ) -> None:
        self.players = dict(players)
        self.decay = decay
        self.every = every
        self.warmup = warmup
        self._decay_of_update = 0.0
        self.averaged = {name: AveragedModel(module, multi_avg_fn=self._average) for name, module in players.items()}
        for averaged in self.averaged.values():
            averaged.requires_grad_(False)
        self._batch_norms = {
            name: _batch_norms(averaged.module) for name, averaged in (self.averaged.items() if statistics else ())
        }

    def update(self, step: int) -> None:
        """Updates the averages with the weights after `step` rounds."""
        if step % self.every == 0:
            self._decay_of_update = self.effective_decay(step)
            for name, averaged in self.averaged.items():
                averages = self._averaged_statistics(name) if averaged.n_averaged else []
                before = [average.clone() for average in averages]
                averaged.update_parameters(self.players[name])  # copies all buffers
                for average, old in zip(averages, before, strict=True):
                    average.copy_(old.lerp_(average, 1.0 - self._decay_of_update))

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
                statistics = {id(average) for average in self._averaged_statistics(name)}
                for buffer, current in zip(averaged.module.buffers(), self.players[name].buffers(), strict=True):
                    if id(buffer) not in statistics:
                        buffer.copy_(current)
                    elif new.is_cpu:
                        buffer.lerp_(current, new)
                    else:
                        buffer.mul_(old).add_(current * new)

    def count(self, updates: int) -> None:
        """Counts updates that were made by `update_by_tensors`."""
        for averaged in self.averaged.values():
            averaged.n_averaged += updates

    def effective_decay(self, step: int) -> float:
        """The coefficient of the old average in the update after `step` rounds: the decay to the power of `every`, so
        that the averaging window in steps does not depend on `every`.
        """
        # a window of a ninth of the steps, and before `warmup` of (step / warmup) of that
        shorter = max(1.0, self.warmup / max(step, 1))
        return float(min(self.decay, (1 + step) / (1 + step + 9 * shorter)) ** self.every)

    def _averaged_statistics(self, name: str) -> list[torch.Tensor]:
        """The averages of a player's batch norms' statistics that are averaged, and not copied."""
        found = ((average.running_mean, average.running_var) for average in self._batch_norms.get(name, ()))
        return [statistic for pair in found for statistic in pair if statistic is not None]

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


def _batch_norms(module: nn.Module) -> list[_NormBase]:
    return [each for each in module.modules() if isinstance(each, _NormBase)]


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()
