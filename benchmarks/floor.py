"""What no loop can be faster than: a step's matrix products and convolutions, played alone.

They are taken down from the step itself, with their sizes, layouts and types, and played again one after the other on
random numbers. What a step takes beyond that is everything else: activations, losses, optimizers, data, Python.
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
    """The products of a step: what to call with which stand-ins; flops: floating point operations of all of them."""

    calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    flops: int = 0

    def play(self, times: int) -> None:
        """Does them so many times, and nothing else."""
        with torch.no_grad():
            for _ in range(times):
                for function, arguments, options in self.calls:
                    function(*arguments, **options)


class TakeDown(TorchDispatchMode):
    """Inside, every product that is asked of the device is done, and taken down."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.products = Products()
        self.stand_ins: dict[tuple[Any, ...], Tensor] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        result = func(*args, **options)
        if func in PRODUCTS:
            self.products.flops += int(flop_registry[func.overloadpacket](*args, **options, out_val=result))
            call = (func, *tree_map_only(Tensor, self.stand_in, (args, options)))
            self.products.calls.append(without_bias(*call))
        return result

    def stand_in(self, tensor: Tensor) -> Tensor:
        """Random numbers in the shape, layout and type of a tensor: one for all that are alike."""
        key = (tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if key not in self.stand_ins:
            self.stand_ins[key] = torch.empty_strided(
                tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device
            ).normal_()
        return self.stand_ins[key]


def without_bias(
    function: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The product alone, where a bias is added in the same call."""
    if function is aten.addmm.default:
        return aten.mm.default, arguments[1:3], {}
    if function is aten.convolution.default:
        return function, (*arguments[:2], None, *arguments[3:]), options
    return function, arguments, options


def products_of(step: Callable[[], object]) -> Products:
    """The products of one step, which is played."""
    taken = TakeDown()
    with taken:
        step()
    return taken.products
