"""Bytes from rank to rank, as tensors: text is UTF-8 and state is JSON or safetensors, and nothing is pickled.

They are tensors of the CPU and travel by gloo, also where gradients travel by nccl. Every function here is called by
all ranks at the same place, or those that do call it wait for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


class RankGone(Exception):
    """A message did not come through, as happens where the process at the other end is no more."""


@contextmanager
def coming_through() -> Iterator[None]:
    """Inside, what torch raises where a message fails is RankGone."""
    try:
        yield
    except (RuntimeError, dist.DistError) as error:  # gloo raises the one, nccl and the store the other
        raise RankGone(str(error).splitlines()[0]) from error


def to_all(content: bytes) -> list[bytes]:
    """Each rank's `content`, in the order of ranks, on every rank. For what is short."""
    with coming_through():
        sizes = _sizes(len(content))
        if not sum(sizes):  # the usual case, where nobody has anything to say, is one message
            return [b""] * len(sizes)
        parts = [torch.empty(max(sizes), dtype=torch.uint8) for _ in sizes]
        dist.all_gather(parts, _padded(content, max(sizes)))
    return [_bytes(part[:size]) for part, size in zip(parts, sizes, strict=True)]


def to_first(content: bytes) -> list[bytes]:
    """Each rank's `content`, in the order of ranks, on rank 0; an empty list on the others. For what is large."""
    first = dist.get_rank() == 0
    with coming_through():
        sizes = _sizes(len(content))
        if not sum(sizes):
            return [b""] * len(sizes) if first else []
        parts = [torch.empty(max(sizes), dtype=torch.uint8) for _ in sizes] if first else None
        dist.gather(_padded(content, max(sizes)), parts)
    return [_bytes(part[:size]) for part, size in zip(parts or (), sizes, strict=first)]


def from_first(content: bytes) -> bytes:
    """What rank 0 gives as `content`, on every rank."""
    with coming_through():
        size = torch.tensor([len(content)])
        dist.broadcast(size, 0)
        if not size:
            return b""
        first = dist.get_rank() == 0
        carrier = _padded(content, len(content)) if first else torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(carrier, 0)
    return _bytes(carrier)


def summed(numbers: Tensor) -> Tensor:
    """The sum over all ranks of tensors of one shape, on every rank (in place)."""
    with coming_through():
        dist.all_reduce(numbers)
    return numbers


@torch.no_grad()
def copy_from_first(tensors: Iterable[Tensor]) -> None:
    """Overwrites the tensors, of any device, with those of rank 0."""
    with coming_through():
        for tensor in tensors:
            whole = tensor.detach().contiguous()
            dist.broadcast(whole, 0)
            tensor.copy_(whole)


def _sizes(mine: int) -> list[int]:
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([mine]))
    return [int(size) for size in sizes]


def _padded(content: bytes, size: int) -> Tensor:
    return torch.frombuffer(bytearray(content.ljust(size, b"\0")), dtype=torch.uint8)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()
