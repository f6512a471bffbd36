"""A thin wrapper of CUDA graphs: device work that is captured once and replayed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import nn

Work = Callable[[], None]


class GraphCapture(Protocol):
    """Runs work, or captures it as a graph."""

    def run(self, work: Work) -> None:
        """Runs the work now, under the conditions of a later capture (for CUDA, on the same stream)."""

    def capture(self, work: Work) -> Work:
        """Captures the device work of `work` without changing anything.

        Returns: a replay function. It works on the same memory, with the values that are there when it is called, and
        sets the `.grad` of parameters as the work does.

        Raises: RuntimeError if the work cannot be captured.
        """


class CudaGraphCapture:
    """CUDA graphs that share one memory pool, as they are never replayed concurrently.

    parameters: those whose gradients the work computes.

    Work before a capture runs on the capturing stream, since per-stream state that torch creates lazily, the gradient
    accumulators above all, must belong to that stream. The device's default random generator is registered with each
    graph by torch: a replay starts at the generator's offset and advances it as the work would have.
    """

    def __init__(self, device: torch.device, parameters: Iterable[nn.Parameter] = ()) -> None:
        self.device = device
        self.parameters = list(parameters)
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()

    def run(self, work: Work) -> None:
        """Runs the work on the capturing stream."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True")  # not captured yet
            work()
        current.wait_stream(self.stream)

    def capture(self, work: Work) -> Work:
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
