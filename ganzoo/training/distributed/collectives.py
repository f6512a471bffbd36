"""Collective communication of bytes and tensors: text as UTF-8, state as JSON or safetensors, never as pickle.

Bytes are sent as CPU tensors by gloo, even if gradients are sent by nccl. Every function must be called by all ranks
at the same point, or the ranks that call it block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from ganzoo.recipe.shape_errors import error_summary


class RankLost(Exception):
    """Communication failed, as happens when the process of another rank has ended."""


@contextmanager
def raising_rank_lost() -> Iterator[None]:
    """Inside, errors of torch.distributed are raised as RankLost."""
    try:
        yield
    except (RuntimeError, dist.DistError) as error:  # gloo raises the one, nccl and the store the other
        raise RankLost(error_summary(error)) from error


def all_gather_bytes(content: bytes) -> list[bytes]:
    """Each rank's `content`, in the order of ranks, on every rank. For short contents."""
    with raising_rank_lost():
        sizes = _sizes(len(content))
        if not sum(sizes):  # the usual case, all contents empty, is one collective call
            return [b""] * len(sizes)
        parts = [torch.empty(max(sizes), dtype=torch.uint8) for _ in sizes]
        dist.all_gather(parts, _padded(content, max(sizes)))
    return [_bytes(part[:size]) for part, size in zip(parts, sizes, strict=True)]


def gather_bytes(content: bytes) -> list[bytes]:
    """Each rank's `content`, in the order of ranks, on rank 0; an empty list on the others. For large contents."""
    first = dist.get_rank() == 0
    with raising_rank_lost():
        sizes = _sizes(len(content))
        if not sum(sizes):
            return [b""] * len(sizes) if first else []
        parts = [torch.empty(max(sizes), dtype=torch.uint8) for _ in sizes] if first else None
        dist.gather(_padded(content, max(sizes)), parts)
    return [_bytes(part[:size]) for part, size in zip(parts or (), sizes, strict=first)]


def broadcast_bytes(content: bytes) -> bytes:
    """The `content` of rank 0, on every rank."""
    with raising_rank_lost():
        size = torch.tensor([len(content)])
        dist.broadcast(size, 0)
        if not size:
            return b""
        first = dist.get_rank() == 0
        buffer = _padded(content, len(content)) if first else torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(buffer, 0)
    return _bytes(buffer)


def all_reduce_sum(numbers: Tensor) -> Tensor:
    """The sum over all ranks of tensors of the same shape, on every rank (in place)."""
    with raising_rank_lost():
        dist.all_reduce(numbers)
    return numbers


@torch.no_grad()
def broadcast_tensors(tensors: Iterable[Tensor]) -> None:
    """Overwrites the tensors, of any device, with those of rank 0."""
    with raising_rank_lost():
        for tensor in tensors:
            contiguous = tensor.detach().contiguous()
            dist.broadcast(contiguous, 0)
            tensor.copy_(contiguous)


def _sizes(mine: int) -> list[int]:
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([mine]))
    return [int(size) for size in sizes]


def _padded(content: bytes, size: int) -> Tensor:
    return torch.frombuffer(bytearray(content.ljust(size, b"\0")), dtype=torch.uint8)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.numpy().tobytes()
