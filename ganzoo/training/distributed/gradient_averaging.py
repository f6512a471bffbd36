"""Averages gradients over the ranks, all gradients of a move at once.

A player's gradients are written one after another into a flat buffer that is allocated once per run, and summed in
shared memory or by an all-reduce. The parameters' gradients are then views of the sum, so that nothing is copied back.
Wrapping the networks in DistributedDataParallel would fail on two forward passes before a backward pass, and on double
backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ganzoo.training.distributed import collectives
from ganzoo.training.distributed.shared_memory import SharedMemorySum, shared_memory_sum

if TYPE_CHECKING:
    from ganzoo.training.stopping import Interruption


class AllReduceSum:
    """The sum over all ranks of `numbers` numbers by an all-reduce, which also counts the ranks asked to stop.

    Same interface as SharedMemorySum: the input is written to `own_rows[slot]` before a call; here the result `sum` is
    the same tensor.
    """

    slot = 0

    def __init__(self, numbers: int, dtype: torch.dtype, device: torch.device) -> None:
        self.buffer = torch.zeros(numbers + 1, dtype=dtype, device=device)
        self.sum = self.buffer[:-1]
        self.own_rows = [self.sum]

    def __call__(self, *, stop_requested: bool) -> None:
        """Sums over the ranks. stop_requested: whether this rank was asked to stop. Raises: RankLost."""
        self.buffer[-1:].fill_(float(stop_requested))
        collectives.all_reduce_sum(self.buffer)

    @property
    def stop_requested(self) -> bool:
        """Whether any rank was asked to stop, as of the last call. Synchronises with the GPU."""
        return bool(self.buffer[-1].item() > 0)


class FlatGradientAverage:
    """The mean over all ranks of the gradients of some parameters (of one device and one dtype)."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = parameters
        self.device, self.dtype = parameters[0].device, parameters[0].dtype
        self.sizes = [parameter.numel() for parameter in parameters]
        self.scale = 1.0 / dist.get_world_size()

    @property
    def bytes(self) -> int:
        """The size of a move's gradients in bytes; how much is transferred depends on the algorithm."""
        return sum(self.sizes) * self.dtype.itemsize

    @cached_property
    def total(self) -> SharedMemorySum | AllReduceSum:
        """The summation method, on which all ranks agree in their first move."""
        shared = shared_memory_sum(sum(self.sizes), self.dtype) if self.device.type == "cpu" else None
        return shared or AllReduceSum(sum(self.sizes), self.dtype, self.device)

    @cached_property
    def targets(self) -> list[list[Tensor]]:
        """The tensors to which gradients are written, by slot."""
        return [self._parts(row) for row in self.total.own_rows]

    @cached_property
    def means(self) -> list[Tensor]:
        """The tensors that hold the mean gradients after a call."""
        return self._parts(self.total.sum)

    @torch.no_grad()
    def __call__(self, *, stop_requested: bool = False) -> None:
        """Averages the `.grad` of the parameters. stop_requested: whether this rank was asked to stop."""
        total = self.total
        tensors = zip(self.parameters, self.targets[total.slot], self.means, strict=True)
        gradients = [
            (parameter, target, mean, parameter.grad)
            for parameter, target, mean in tensors
            if parameter.grad is not None
        ]
        if len(gradients) < len(self.parameters):
            total.own_rows[total.slot].zero_()
        if self.device.type == "cuda":
            torch._foreach_copy_([target for _, target, _, _ in gradients], [gradient for *_, gradient in gradients])
            total.own_rows[total.slot].mul_(self.scale)
        else:
            for _, target, _, gradient in gradients:
                torch.mul(gradient, self.scale, out=target)  # copies and scales in one pass over the memory
        total(stop_requested=stop_requested)
        for parameter, _, mean, _ in gradients:  # parameters without gradient keep none, as on a single rank
            parameter.grad = mean

    def _parts(self, whole: Tensor) -> list[Tensor]:
        """Views of a flat tensor with the strides of each parameter (such as channels_last), as optimizers expect."""
        parts = zip(whole.split(self.sizes), self.parameters, strict=True)
        return [part.as_strided(parameter.size(), parameter.stride()) for part, parameter in parts]


class GradientExchange:
    """Averages the gradients of each player over the ranks right before its optimizer's step, under any runner.

    Whether a rank was asked to stop is sent along, so that all ranks stop after the same step.
    """

    check_every = 10
    """On a GPU, steps between two reads of the stop flag, each of which synchronises."""

    def __init__(self) -> None:
        self.averages: list[FlatGradientAverage] = []
        self.last: FlatGradientAverage | None = None
        self.interruption: Interruption | None = None

    def average_before_step(self, optimizer: torch.optim.Optimizer, parameters: Sequence[nn.Parameter]) -> None:
        """Registers averaging of the gradients of `parameters` before each step of `optimizer`."""
        average = FlatGradientAverage(parameters)
        self.averages.append(average)

        def average_gradients(*_: object) -> None:
            self.last = average
            average(stop_requested=self.interruption is not None and self.interruption.stop_requested)

        optimizer.register_step_pre_hook(average_gradients)

    def stop_requested(self, interruption: Interruption, step: int) -> bool:
        """Whether any rank had been asked to stop by the last move of `step`; the same on all ranks."""
        self.interruption = interruption
        if self.last is None or (self.last.device.type == "cuda" and step % self.check_every):
            return False
        return self.last.total.stop_requested
