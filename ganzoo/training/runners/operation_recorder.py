"""Records the operations of a round, to see whether it can be captured and whether two rounds do the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HOST_SYNC = "the host waits for a number from the device"
"""The effect of `.item()`, `bool(tensor)` and the like, which a replay cannot reproduce: it runs no host code."""


class OperationRecorder(TorchDispatchMode):
    """While entered, records every torch operation of this thread, in order.

    operations: for each its name, its arguments, and the origin of its tensors: the storage address of those that
    existed before, the index in this list of those that were created since. Two rounds with equal lists do the same to
    the same memory, as a replayed graph does. obstacles: operations that cannot be captured, by name, with the reason.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[tuple[Any, ...]] = []
        self.obstacles: dict[str, str] = {}
        self._created: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Records one operation, and runs it."""
        leaves = tree_leaves((args, kwargs or {}))
        given = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        number = len(self.operations)
        self.operations.append((str(func), *(self._describe_argument(leaf) for leaf in leaves)))
        obstacle = _obstacle(func, given)
        if obstacle:
            self.obstacles.setdefault(str(func), obstacle)
        result = func(*args, **(kwargs or {}))
        ours = {storage_address(tensor) for tensor in given}
        for made in tree_leaves(result):
            if isinstance(made, Tensor):
                if storage_address(made) not in ours:
                    self._created[storage_address(made)] = number
                if given and made.device != given[0].device:
                    self.obstacles.setdefault(str(func), f"it moves data from {given[0].device} to {made.device}")
        return result

    def _describe_argument(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf if isinstance(leaf, int | float | bool | str | None) else str(leaf)
        place = self._created.get(storage_address(leaf))
        where = f"@{storage_address(leaf):x}" if place is None else f"#{place}"
        return where, leaf.storage_offset(), tuple(leaf.shape), str(leaf.dtype)


class UndoableRecorder(OperationRecorder):
    """Records operations, and saves the contents of existing memory before it is first overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self._saved: dict[Any, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Saves what one operation is about to overwrite."""
        func, args = _with_declared_writes(func, args)
        given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | (kwargs or {})
        for argument in func._schema.arguments:
            if argument.is_write:
                for written in tree_leaves(given.get(argument.name)):
                    self._save(written)
        return super().__torch_dispatch__(func, types, args, kwargs)

    def _save(self, written: Any) -> None:
        if isinstance(written, Tensor) and storage_address(written) not in self._created:
            place = (storage_address(written), written.storage_offset(), written.shape, written.stride())
            if place not in self._saved:
                with disable_proxy_modes_tracing():  # the copies must not be traced
                    self._saved[place] = (written.detach(), written.detach().clone())

    def undo(self) -> None:
        """Restores the contents of all overwritten memory."""
        for written, before in reversed(self._saved.values()):
            written.copy_(before)


def difference(one: OperationRecorder, other: OperationRecorder) -> str | None:
    """The first operation in which two recordings differ, as text; None if they are equal."""
    for number, (before, after) in enumerate(_pairs(one.operations, other.operations)):
        if before != after:
            return f"operation {number} was {_describe_operation(before)} and then {_describe_operation(after)}"
    return None


def _pairs(one: list[Any], other: list[Any]) -> Iterator[tuple[Any, Any]]:
    for number in range(max(len(one), len(other))):
        yield tuple(side[number] if number < len(side) else None for side in (one, other))  # type: ignore[misc]


def _describe_operation(operation: tuple[Any, ...] | None) -> str:
    return "none" if operation is None else f"{operation[0]}{operation[1:]}"


def _obstacle(func: Any, given: list[Tensor]) -> str:
    tags = set(func.tags)
    if torch.Tag.data_dependent_output in tags:
        return HOST_SYNC
    if torch.Tag.dynamic_output_shape not in tags:
        return ""
    if func is torch.ops.aten.index.Tensor and not any(t.dtype in (torch.bool, torch.uint8) for t in given[1:]):
        return ""  # integer indices determine the size of the result
    return "how much it makes depends on numbers on the device"


def _with_declared_writes(func: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Replaces batch norm, whose schema hides its writes to running statistics, by the operation that declares them."""
    if func is not torch.ops.aten.native_batch_norm.default:
        return func, args
    with_writes = torch.ops.aten._native_batch_norm_legit
    return (with_writes.no_stats, (*args[:3], *args[5:])) if args[3] is None else (with_writes.default, args)


def storage_address(tensor: Tensor) -> int:
    """The address of a tensor's storage."""
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor.untyped_storage())
    except (NotImplementedError, RuntimeError):  # a tensor without memory
        return id(tensor)
