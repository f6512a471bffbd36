"""Sums gradients in shared memory between CPU ranks of one machine, which is faster than sending them.

The memory is anonymous (memfd), so that nothing is left of it after the last rank, however that ends. Ranks synchronise
by pipes, and reading from the pipe of a rank that has ended, killed or not, fails at once. Both are opened by other
processes through /proc, and so are available on Linux only.
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

from ganzoo.datasets.placement import local_world_size
from ganzoo.training.distributed import collectives
from ganzoo.training.distributed.collectives import RankLost
from ganzoo.training.distributed.ranks import TIMEOUT

NUMBERS_PER_LINE = 64
"""Shares start at multiples of this many numbers, so that no two ranks write to the same cache line."""

TOKEN_BYTES = 64
"""Size of the random token at the start of the memory, by which ranks verify that they opened the right one."""


class SharedMemorySum:
    """One or two input rows for each rank, and the sum of all ranks' rows. Created by `shared_memory_sum`.

    memory: TOKEN_BYTES bytes, then numbers of `dtype`; receivers, senders: by rank, the pipes from and to the others.
    own_rows: this rank's input rows, by slot; slot: the one to fill before the next call; sum: the result, the same
    bits on all ranks, in private memory that may be overwritten. stop_requested: whether any rank passed True in the
    last call.
    """

    def __init__(
        self,
        memory: mmap.mmap,
        numbers: int,
        dtype: torch.dtype,
        receivers: Mapping[int, Connection],
        senders: Mapping[int, Connection],
    ) -> None:
        self.receivers, self.senders = receivers, senders
        rank, size = dist.get_rank(), dist.get_world_size()
        slots = slots_per_rank(size)
        total, *rows = torch.frombuffer(memory, dtype=dtype, offset=TOKEN_BYTES).view(1 + slots * size, -1)
        self.rows = [[row[:numbers] for row in rows[slot::slots]] for slot in range(slots)]
        self.own_rows = [rows_of_slot[rank] for rows_of_slot in self.rows]
        self.slot = 0
        self.sum = torch.zeros(numbers, dtype=dtype)
        self.shared_sum = total[:numbers]
        self.share = slice(rank * len(total) // size, (rank + 1) * len(total) // size)
        self.stop_requested = False

    def __call__(self, *, stop_requested: bool) -> None:
        """Sums the rows of the present slot, in the order of ranks. Raises: RankLost.

        With two ranks, each computes the whole sum. With more, each sums a share of the length into shared memory and
        copies the result, which reads less. Memory that one rank reads after a synchronisation is not written by others
        before the next one: two ranks, which synchronise once per call, therefore alternate between two rows each.
        """
        self.stop_requested = any(self.exchange_flags(stop_requested))
        rows = self.rows[self.slot]
        self.slot = (self.slot + 1) % len(self.rows)
        if len(rows) == 2:
            torch.add(*rows, out=self.sum)
        else:
            first, second, *others = (row[self.share] for row in rows)
            share = torch.add(first, second, out=self.shared_sum[self.share])
            for other in others:
                share.add_(other)
            self.exchange_flags()
            self.sum.copy_(self.shared_sum)

    def exchange_flags(self, flag: bool = False) -> list[bool]:
        """Waits until all ranks have called it. Returns: the flag of each. Raises: RankLost."""
        for rank, connection in self.senders.items():
            send(rank, connection, flag)
        return [flag, *(receive(rank, connection) for rank, connection in self.receivers.items())]


def slots_per_rank(size: int) -> int:
    """The number of input rows of each of `size` ranks."""
    return 2 if size == 2 else 1


def send(rank: int, connection: Connection, flag: bool) -> None:
    """Sends a flag to a rank. Raises: RankLost."""
    try:
        connection.send_bytes(bytes([flag]))
    except OSError as error:
        raise RankLost(f"rank {rank} is no longer reachable: {type(error).__name__}") from error


def receive(rank: int, connection: Connection) -> bool:
    """Receives the next flag of a rank. Raises: RankLost, also on timeout."""
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    try:
        if not poller.poll(TIMEOUT.total_seconds() * 1000):
            raise TimeoutError
        return bool(connection.recv_bytes()[0])
    except (OSError, EOFError) as error:
        raise RankLost(f"rank {rank} no longer responds: {type(error).__name__}") from error


def shared_memory_sum(numbers: int, dtype: torch.dtype) -> SharedMemorySum | None:
    """Creates the shared memory for sums of `numbers` numbers; None on all ranks if one of them cannot open it.

    All ranks must call it together. Raises: RankLost.
    """
    size = dist.get_world_size()
    share = -(-numbers // (size * NUMBERS_PER_LINE)) * NUMBERS_PER_LINE
    length = TOKEN_BYTES + (1 + slots_per_rank(size) * size) * size * share * dtype.itemsize
    with ExitStack() as open_resources:
        try:
            receivers, offer = create_offer(length, open_resources)
        except OSError:
            receivers, offer = {}, {}
        offers = [json.loads(content) for content in collectives.all_gather_bytes(json.dumps(offer).encode())]
        opened = None
        if all(offers):
            with suppress(OSError, ValueError):  # ValueError: the file is shorter than the memory
                opened = open_offers(offers, length)
        if any(collectives.all_gather_bytes(b"" if opened else b"cannot")) or opened is None:
            return None
    memory, senders = opened
    return SharedMemorySum(memory, numbers, dtype, receivers, senders)


def create_offer(length: int, open_resources: ExitStack) -> tuple[dict[int, Connection], dict[str, Any]]:
    """Creates a pipe from each other rank and, on rank 0, the memory.

    open_resources: closes this process's descriptors of them when all ranks have opened theirs.
    Returns: the receiving ends, and the description that other ranks need. Raises: OSError if that is not possible.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    if local_world_size() != size or not sys.platform.startswith("linux"):
        raise OSError("the ranks are on several machines, or not on Linux")
    receivers, ends = {}, {}
    for other in range(size):
        if other != rank:
            receivers[other], connection = Pipe(duplex=False)
            open_resources.callback(connection.close)
            ends[str(other)] = connection.fileno()
    offer: dict[str, Any] = {"process": os.getpid(), "ends": ends}
    if rank == 0:
        memory = os.memfd_create("ganzoo")
        open_resources.callback(os.close, memory)
        os.posix_fallocate(memory, 0, length)  # otherwise a lack of memory would show only as a SIGBUS when writing
        token = secrets.token_hex(TOKEN_BYTES // 2)
        os.pwrite(memory, token.encode(), 0)
        offer |= {"memory": memory, "token": token}
    return receivers, offer


def open_offers(offers: Sequence[Mapping[str, Any]], length: int) -> tuple[mmap.mmap, dict[int, Connection]]:
    """Opens the memory of rank 0, and the pipes to the other ranks. Raises: OSError, ValueError."""
    rank = dist.get_rank()

    def open_descriptor(owner: int, descriptor: int, mode: int) -> int:
        return os.open(f"/proc/{offers[owner]['process']}/fd/{descriptor}", mode)

    descriptor = open_descriptor(0, offers[0]["memory"], os.O_RDWR)
    try:
        memory = mmap.mmap(descriptor, length)
    finally:
        os.close(descriptor)
    if memory[:TOKEN_BYTES].decode(errors="replace") != offers[0]["token"]:
        raise OSError("that process is another one, of another machine or container")
    senders = {
        other: Connection(open_descriptor(other, offer["ends"][str(rank)], os.O_WRONLY), readable=False)
        for other, offer in enumerate(offers)
        if other != rank
    }
    return memory, senders
