"""Memory that the ranks of one machine have in common, where those on CPUs add up their gradients without sending them.

It has no name and lies in no folder, so that nothing is left of it after the last rank, however that ends. Ranks wait
for each other at pipes, and reading from a rank that is gone, killed or not, fails at once. Linux hands both from
process to process in /proc; elsewhere there is no such memory.
"""

from __future__ import annotations

import json
import mmap
import os
import secrets
import select
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.distributed as dist

from ganzoo.datasets.placement import ranks_here
from ganzoo.training.distributed import collectives as messages
from ganzoo.training.distributed.collectives import RankGone
from ganzoo.training.distributed.ranks import PATIENCE

LINE = 64
"""Numbers: shares begin at multiples of it, so that no two ranks write to the same line of a cache."""

TOKEN = 64
"""Bytes before the numbers, by which a rank knows the memory that it was told of."""


class CommonMemory:
    """Rows of numbers of each rank, to be filled in turn, and the sum of all ranks' rows. Made by `common_memory`.

    memory: TOKEN bytes, then numbers of `dtype`; heard, told: by rank, the ends of pipes from and to the others.
    mine: this rank's rows; turn: which of them is to be filled before the next call; sum: the same bits on all ranks,
    in memory of each rank's own, which may be written to. asked: whether any rank said so in the last call.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        numbers: int,
        dtype: torch.dtype,
        heard: Mapping[int, Connection],
        told: Mapping[int, Connection],
    ) -> None:
        self.heard, self.told = heard, told
        rank, size = dist.get_rank(), dist.get_world_size()
        turns = turns_of(size)
        total, *rows = torch.frombuffer(memory, dtype=dtype, offset=TOKEN).view(1 + turns * size, -1)
        self.rows = [[row[:numbers] for row in rows[turn::turns]] for turn in range(turns)]
        self.mine = [of_all[rank] for of_all in self.rows]
        self.turn = 0
        self.sum = torch.zeros(numbers, dtype=dtype)
        self.common_sum = total[:numbers]
        self.share = slice(rank * len(total) // size, (rank + 1) * len(total) // size)
        self.asked = False

    def __call__(self, *, asked: bool) -> None:
        """Adds up the rows of this turn, in the order of ranks. Raises: RankGone.

        Two ranks do so each for itself. Of more, each adds up a share of the length, which is less to read: the sum of
        all shares is common, and copied. What one rank reads after a wait, no other writes to before the next: two
        ranks, who wait once, have a second row each for it.
        """
        self.asked = any(self.wait(asked))
        rows = self.rows[self.turn]
        self.turn = (self.turn + 1) % len(self.rows)
        if len(rows) == 2:
            torch.add(*rows, out=self.sum)
        else:
            first, second, *others = (row[self.share] for row in rows)
            share = torch.add(first, second, out=self.common_sum[self.share])
            for other in others:
                share.add_(other)
            self.wait()
            self.sum.copy_(self.common_sum)

    def wait(self, word: bool = False) -> list[bool]:
        """Waits until all ranks have come here. Returns: the word of each. Raises: RankGone."""
        for rank, end in self.told.items():
            tell(rank, end, word)
        return [word, *(hear(rank, end) for rank, end in self.heard.items())]


def turns_of(size: int) -> int:
    """How many rows each of `size` ranks has."""
    return 2 if size == 2 else 1


def tell(rank: int, end: Connection, word: bool) -> None:
    """Leaves a word for a rank. Raises: RankGone."""
    try:
        end.send_bytes(bytes([word]))
    except OSError as error:
        raise RankGone(f"rank {rank} listens no longer: {type(error).__name__}") from error


def hear(rank: int, end: Connection) -> bool:
    """The next word of a rank. Raises: RankGone, also where the rank stands still."""
    patience = select.poll()
    patience.register(end, select.POLLIN)
    try:
        if not patience.poll(PATIENCE.total_seconds() * 1000):
            raise TimeoutError
        return bool(end.recv_bytes()[0])
    except (OSError, EOFError) as error:
        raise RankGone(f"rank {rank} answers no longer: {type(error).__name__}") from error


def common_memory(numbers: int, dtype: torch.dtype) -> CommonMemory | None:
    """Memory for rows of so many numbers, begun with zeros; None on all ranks where one of them cannot have it.

    All ranks call it together. Raises: RankGone.
    """
    size = dist.get_world_size()
    share = -(-numbers // (size * LINE)) * LINE
    length = TOKEN + (1 + turns_of(size) * size) * size * share * dtype.itemsize
    with ExitStack() as meanwhile:
        try:
            heard, offer = offered(length, meanwhile)
        except OSError:
            heard, offer = {}, {}
        offers = [json.loads(content) for content in messages.to_all(json.dumps(offer).encode())]
        taken = None
        if all(offers):
            with suppress(OSError, ValueError):  # the latter where a file is shorter than the memory would be
                taken = opened(offers, length)
        if any(messages.to_all(b"" if taken else b"cannot")) or taken is None:
            return None
    memory, told = taken
    return CommonMemory(memory, numbers, dtype, heard, told)


def offered(length: int, meanwhile: ExitStack) -> tuple[dict[int, Connection], dict[str, Any]]:
    """A pipe for each other rank to write to and, on rank 0, the memory. meanwhile: open until all have opened them.

    Returns: the ends that are read, and where the rest is. Raises: OSError where that cannot be had.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    if ranks_here() != size or not sys.platform.startswith("linux"):
        raise OSError("the ranks are on several machines, or not on Linux")
    heard, ends = {}, {}
    for other in range(size):
        if other != rank:
            heard[other], end = Pipe(duplex=False)
            meanwhile.callback(end.close)
            ends[str(other)] = end.fileno()
    offer: dict[str, Any] = {"process": os.getpid(), "ends": ends}
    if rank == 0:
        memory = os.memfd_create("ganzoo")
        meanwhile.callback(os.close, memory)
        os.posix_fallocate(memory, 0, length)  # or too little memory would be noticed only by a write that kills
        token = secrets.token_hex(TOKEN // 2)
        os.pwrite(memory, token.encode(), 0)
        offer |= {"memory": memory, "token": token}
    return heard, offer


def opened(offers: Sequence[Mapping[str, Any]], length: int) -> tuple[mmap.mmap, dict[int, Connection]]:
    """The memory that rank 0 offers, and the ends that this rank writes to. Raises: OSError, ValueError."""
    rank = dist.get_rank()

    def open_of(owner: int, descriptor: int, mode: int) -> int:
        return os.open(f"/proc/{offers[owner]['process']}/fd/{descriptor}", mode)

    descriptor = open_of(0, offers[0]["memory"], os.O_RDWR)
    try:
        memory = mmap.mmap(descriptor, length)
    finally:
        os.close(descriptor)
    if memory[:TOKEN].decode(errors="replace") != offers[0]["token"]:
        raise OSError("that process is another one, of another machine or container")
    told = {
        other: Connection(open_of(other, offer["ends"][str(rank)], os.O_WRONLY), readable=False)
        for other, offer in enumerate(offers)
        if other != rank
    }
    return memory, told
