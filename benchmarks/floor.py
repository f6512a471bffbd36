"""A lower bound for the time of a step: its matrix products and convolutions alone.

They are recorded from the step itself, with their sizes, layouts and types, and replayed one after the other on random
numbers. The rest of a step's time is everything else: activations, losses, optimizers, data, Python.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten

PRODUCTS = frozenset(
    getattr(aten, name).default
    for name in ("mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward", "_convolution")
)


@dataclass(slots=True)
class Products:
    """The products of a step.

    calls: function, placeholder arguments and options of each; flops: floating point operations of all of them.
    """

    calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    flops: int = 0

    def play(self, times: int) -> None:
        """Computes them `times` times, and nothing else."""
        with torch.no_grad():
            for _ in range(times):
                for function, arguments, options in self.calls:
                    function(*arguments, **options)


class ProductRecorder(TorchDispatchMode):
    """Inside, every product is computed and recorded."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products = Products()
        self.placeholders: dict[tuple[Any, ...], Tensor] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        result = func(*args, **options)
        if func in PRODUCTS:
            self.products.flops += int(flop_registry[func.overloadpacket](*args, **options, out_val=result))
            call = (func, *tree_map_only(Tensor, self.placeholder, (args, options)))
            self.products.calls.append(without_bias(*call))
        return result

    def placeholder(self, tensor: Tensor) -> Tensor:
        """Random numbers in the shape, layout and type of a tensor, shared by all tensors with these."""
        key = (tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if key not in self.placeholders:
            made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
            for side, stride in enumerate(made.stride()):
                if stride == 0:  # expanded elements share memory, which is written once
                    made = made.narrow(side, 0, 1)
            self.placeholders[key] = made.normal_().expand(tensor.shape)
        return self.placeholders[key]


def without_bias(
    function: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The call without its bias, so that it is the product alone."""
    if function is aten.addmm.default:
        return aten.mm.default, arguments[1:3], {}
    if function is aten.convolution.default:
        return function, (*arguments[:2], None, *arguments[3:]), options
    return function, arguments, options


def products_of(step: Callable[[], object]) -> Products:
    """Runs one step and returns its products."""
    recorder = ProductRecorder()
    with recorder:
        step()
    return recorder.products
