"""Gradients averaged over the ranks, in one message a move.

A player's gradients are laid one after another into a buffer that is kept for the run, which is sent as it is; the
parameters' gradients are then views of it, so that nothing is copied back. That is all that a step sends: wrapping the
networks (torch's DistributedDataParallel) would break on two forwards before a backward, and on double backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import nn

from ganzoo.engine.distributed.messages import coming_through

if TYPE_CHECKING:
    from ganzoo.stopping import Interruption


class GradientAverage:
    """The mean over all ranks of the gradients of some parameters (of one device and one dtype).

    One number more than there are gradients goes along: how many ranks were asked to stop.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.share = 1.0 / dist.get_world_size()
        sizes = [parameter.numel() for parameter in parameters]
        self.buffer = torch.zeros(sum(sizes) + 1, dtype=parameters[0].dtype, device=parameters[0].device)
        *parts, self.asked = self.buffer.split([*sizes, 1])
        # as each parameter lies in memory (channels_last does not lie as its shape says): optimizers want them alike
        self.pairs = [
            (parameter, part.as_strided(parameter.size(), parameter.stride()))
            for part, parameter in zip(parts, parameters, strict=True)
        ]

    @property
    def bytes(self) -> int:
        """What a move sends, in bytes, before the way of sending multiplies it."""
        return self.buffer.nbytes

    @torch.no_grad()
    def __call__(self, *, asked: bool = False) -> None:
        """Averages the `.grad` of the parameters. asked: whether this rank was asked to stop."""
        moved = [(p, view, p.grad) for p, view in self.pairs if p.grad is not None]
        if len(moved) < len(self.pairs):
            self.buffer.zero_()
        if self.buffer.is_cuda:
            torch._foreach_copy_([view for _, view, _ in moved], [gradient for *_, gradient in moved])
            self.buffer.mul_(self.share)
        else:
            for _, view, gradient in moved:
                torch.mul(gradient, self.share, out=view)  # copies and scales in one pass over the memory
        self.asked.fill_(float(asked))
        with coming_through():
            dist.all_reduce(self.buffer)
        for parameter, view, _ in moved:  # one that took no part has none after it either, as on a single rank
            parameter.grad = view


class Exchange:
    """Averages the gradients of each player over the ranks right before its optimizer's step, whatever plays the round.

    With them goes whether a rank was asked to stop, so that all stop after the same step.
    """

    looks_every = 10
    """Steps between two looks at what another rank was asked, where a look is a wait for the GPU."""

    def __init__(self) -> None:
        self.averages: list[GradientAverage] = []
        self.last: GradientAverage | None = None
        self.interruption: Interruption | None = None

    def average_before(self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
        """Has the gradients of `parameters` averaged before each step of `optimizer`."""
        average = GradientAverage(parameters)
        self.averages.append(average)

        def first(*_: object) -> None:
            self.last = average
            average(asked=self.interruption is not None and self.interruption.asked)

        optimizer.register_step_pre_hook(first)

    def asked(self, interruption: Interruption, step: int) -> bool:
        """Whether any rank was asked to stop when the last move of `step` was made: the same on all."""
        self.interruption = interruption
        if self.last is None or (self.last.buffer.is_cuda and step % self.looks_every):
            return False
        return bool(self.last.asked.item() > 0)
