"""What a round does, operation by operation: whether it can be captured, and whether two rounds are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = "the host waits for a number from the device"
"""What `.item()`, `bool(tensor)` and the like do: a replay has no host that could decide anything by it."""


class Recording(TorchDispatchMode):
    """While entered, takes down every operation that runs here, in order.

    operations: of each its name, its numbers, and where its tensors come from: the memory of those that were there
    before, the place in this list of those that were made since. Two rounds with equal lists do the same to the same
    memory, which is what a replayed graph does. obstacles: what no graph can hold, and why, by the operation's name.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[Any, ...]] = []
        self.obstacles: dict[str, str] = {}
        self._made: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Takes down one operation, and runs it."""
        leaves = tree_leaves((args, kwargs or {}))
        given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        number = len(self.operations)
        self.operations.append((str(func), *(self._told(leaf) for leaf in leaves)))
        obstacle = _obstacle(func, given)
        if obstacle:
            self.obstacles.setdefault(str(func), obstacle)
        result = func(*args, **(kwargs or {}))
        ours = {memory_of(tensor) for tensor in given}
        for made in tree_leaves(result):
            if isinstance(made, Tensor):
                if memory_of(made) not in ours:
                    self._made[memory_of(made)] = number
                if given and made.device != given[0].device:
                    self.obstacles.setdefault(str(func), f"it moves data from {given[0].device} to {made.device}")
        return result

    def _told(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf if isinstance(leaf, int | float | bool | str | None) else str(leaf)
        place = self._made.get(memory_of(leaf))
        where = f"@{memory_of(leaf):x}" if place is None else f"#{place}"
        return where, leaf.storage_offset(), tuple(leaf.shape), str(leaf.dtype)


class Undoing(Recording):
    """Takes down operations, and keeps what the memory from before held until one of them wrote to it."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[Any, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Keeps what one operation is about to write over."""
        func, args = _honest(func, args)
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | (kwargs or {})
        for argument in func._schema.arguments:
            if argument.is_write:
                for written in tree_leaves(given.get(argument.name)):
                    self._keep(written)
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _keep(self, written: Any) -> None:
        if isinstance(written, Tensor) and memory_of(written) not in self._made:
            place = (memory_of(written), written.storage_offset(), written.shape, written.stride())
            if place not in self._kept:
                with disable_proxy_modes_tracing():  # who traces the work would find copies in it
                    self._kept[place] = (written.detach(), written.detach().clone())

    def put_back(self) -> None:
        """Everything that was written over holds again what it held before."""
        for written, before in reversed(self._kept.values()):
            written.copy_(before)


def difference(one: Recording, other: Recording) -> str | None:
    """The first operation in which two recordings differ, in words; None where they are the same."""
    for number, (before, after) in enumerate(_pairs(one.operations, other.operations)):
        if before != after:
            return f"operation {number} was {_words(before)} and then {_words(after)}"
    return None


def _pairs(one: list[Any], other: list[Any]) -> Iterator[tuple[Any, Any]]:
    for number in range(max(len(one), len(other))):
        yield tuple(side[number] if number < len(side) else None for side in (one, other))  # type: ignore[misc]


def _words(operation: tuple[Any, ...] | None) -> str:
    return "none" if operation is None else f"{operation[0]}{operation[1:]}"


def _obstacle(func: Any, given: list[Tensor]) -> str:
    tags = set(func.tags)
    if torch.Tag.data_dependent_output in tags:
        return WAITS
    if torch.Tag.dynamic_output_shape not in tags:
        return ""
    if func is torch.ops.aten.index.Tensor and not any(t.dtype in (torch.bool, torch.uint8) for t in given[1:]):
        return ""  # whole numbers as indices say themselves how many they are
    return "how much it makes depends on numbers on the device"


def _honest(func: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Batch norm, which writes to its running averages without saying so, as the operation that says it."""
    if func is not torch.ops.aten.native_batch_norm.default:
        return func, args
    legit = torch.ops.aten._native_batch_norm_legit
    return (legit.no_stats, (*args[:3], *args[5:])) if args[3] is None else (legit.default, args)


def memory_of(tensor: Tensor) -> int:
    """Where a tensor's storage begins."""
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor.untyped_storage())
    except (NotImplementedError, RuntimeError):  # a tensor without memory
        return id(tensor)
