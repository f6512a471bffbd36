"""Gradients averaged over the ranks, all of a move at once.

A player's gradients are laid one after another into a buffer that is kept for the run, and are added up in memory that
the ranks have in common, or sent as they lie; the parameters' gradients are then views of the sum, so that nothing is
copied back. Wrapping the networks (torch's DistributedDataParallel) would break on two forwards before a backward, and
on double backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganzoo.training.distributed import collectives as messages
from ganzoo.training.distributed.shared_memory import CommonMemory, common_memory

if TYPE_CHECKING:
    from ganzoo.training.stopping import Interruption


class Message:
    """The sum over all ranks of `numbers` numbers, sent from rank to rank with one more: how many were asked to stop.

    As of a CommonMemory: what is to be filled before a call is `mine[turn]`, and the sum is in the same place.
    """

    turn = 0

    def __init__(self, numbers: int, dtype: torch.dtype, device: torch.device) -> None:
        self.buffer = torch.zeros(numbers + 1, dtype=dtype, device=device)
        self.sum = self.buffer[:-1]
        self.mine = [self.sum]

    def __call__(self, *, asked: bool) -> None:
        """Sends it. Raises: RankGone."""
        self.buffer[-1:].fill_(float(asked))
        messages.summed(self.buffer)

    @property
    def asked(self) -> bool:
        """Whether any rank said so in the last call. On a GPU, this is a wait for it."""
        return bool(self.buffer[-1].item() > 0)


class GradientAverage:
    """The mean over all ranks of the gradients of some parameters (of one device and one dtype)."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.device, self.dtype = parameters[0].device, parameters[0].dtype
        self.sizes = [parameter.numel() for parameter in parameters]
        self.share = 1.0 / dist.get_world_size()

    @property
    def bytes(self) -> int:
        """What a rank hands over in a move, in bytes, before the way of adding up multiplies it."""
        return sum(self.sizes) * self.dtype.itemsize

    @cached_property
    def total(self) -> CommonMemory | Message:
        """What adds up: all ranks agree on it in their first move."""
        common = common_memory(sum(self.sizes), self.dtype) if self.device.type == "cpu" else None
        return common or Message(sum(self.sizes), self.dtype, self.device)

    @cached_property
    def places(self) -> list[list[Tensor]]:
        """Where each gradient is written, by turn."""
        return [self._parts(mine) for mine in self.total.mine]

    @cached_property
    def means(self) -> list[Tensor]:
        """Where each gradient's mean is then read."""
        return self._parts(self.total.sum)

    @torch.no_grad()
    def __call__(self, *, asked: bool = False) -> None:
        """Averages the `.grad` of the parameters. asked: whether this rank was asked to stop."""
        total = self.total
        each = zip(self.parameters, self.places[total.turn], self.means, strict=True)
        moved = [
            (parameter, place, mean, parameter.grad) for parameter, place, mean in each if parameter.grad is not None
        ]
        if len(moved) < len(self.parameters):
            total.mine[total.turn].zero_()
        if self.device.type == "cuda":
            torch._foreach_copy_([place for _, place, _, _ in moved], [gradient for *_, gradient in moved])
            total.mine[total.turn].mul_(self.share)
        else:
            for _, place, _, gradient in moved:
                torch.mul(gradient, self.share, out=place)  # copies and scales in one pass over the memory
        total(asked=asked)
        for parameter, _, mean, _ in moved:  # one that took no part has none after it either, as on a single rank
            parameter.grad = mean

    def _parts(self, whole: Tensor) -> list[Tensor]:
        """As each parameter lies in memory (channels_last not as its shape says): optimizers want them alike."""
        parts = zip(whole.split(self.sizes), self.parameters, strict=True)
        return [part.as_strided(parameter.size(), parameter.stride()) for part, parameter in parts]


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
        if self.last is None or (self.last.device.type == "cuda" and step % self.looks_every):
            return False
        return self.last.total.asked
