"""Work of the device that is taken down once and replayed: the thin line to CUDA graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import nn

Play = Callable[[], None]


class Capture(Protocol):
    """Plays work, or takes it down."""

    def play(self, work: Play) -> None:
        """Does the work now, in the surroundings that it will be captured in."""

    def record(self, work: Play) -> Play:
        """Takes down what `work` asks of the device, where everything stays as it was. Returns what does it: on the
        same memory, with the numbers that are there then. It leaves the gradients that the work leaves.

        Raises: RuntimeError where the work cannot be taken down.
        """


class CudaCapture:
    """CUDA graphs that share one pool of memory, for they are never replayed at the same time.

    parameters: those whose gradients the work leaves.

    Work before a capture runs on the stream of the capture: what torch sets up once for each stream, the gradients'
    accumulators above all, must not belong to another one. The device's default random stream belongs to each graph by
    itself: a replay begins where the stream is then, and leaves it as much further as the work would have.
    """

    def __init__(self, device: torch.device, parameters: Iterable[nn.Parameter] = ()) -> None:
        self.device = device
        self.parameters = list(parameters)
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()

    def play(self, work: Play) -> None:
        """Does the work on the stream that captures."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True")  # not captured: yet
            work()
        current.wait_stream(self.stream)

    def record(self, work: Play) -> Play:
        """A graph of the work."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
            work()
        gradients = [parameter.grad for parameter in self.parameters]

        def replay() -> None:
            graph.replay()
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.grad = gradient

        return replay
