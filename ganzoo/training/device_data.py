"""Real samples that live on the training device, in an order that needs no replay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from ganzoo.core.data import Batch, Examples
from ganzoo.errors import DatasetError

Shard = tuple[int, int]
"""(rank, ranks): which of so many equal parts of every batch."""

WHOLE: Shard = (0, 1)

ToUnit = Callable[[str, Tensor], Tensor]
"""(key, examples as stored) -> examples as networks see them."""


def as_stored(_: str, examples: Tensor) -> Tensor:
    """The examples as they are."""
    return examples


class DeviceData:
    """One split on the device, as it is stored; shuffling and normalising happen there.

    Every batch has the full size: the last of an epoch is topped up from the start of the same epoch's order, so that
    batch statistics and captured graphs never meet a short one. An epoch of n samples has ceil(n / batch_size) batches.
    paired: one order for all keys, whose k-th examples belong together. Unpaired keys have an order each, and begin
    their next epoch when they are through; an epoch of the run is one of the largest.
    shard: (rank, ranks), of data shared with other processes: batches are this rank's equal part of the global ones,
    whose size `batch_size` stays.
    to_unit: turns examples of a key from their stored form into what networks see, on the device.

    Raises: DatasetError where paired keys have different numbers of examples, or ranks cannot share a batch equally.
    """

    def __init__(
        self,
        examples: Examples,
        keys: Iterable[str],
        *,
        batch_size: int,
        seed: int,
        device: torch.device,
        paired: bool = True,
        shard: Shard = WHOLE,
        to_unit: ToUnit = as_stored,
    ) -> None:
        self.to_unit = to_unit
        self.tensors = {key: examples.tensors[key].to(device) for key in keys}
        sizes = {key: len(tensor) for key, tensor in self.tensors.items()}
        self.orders = orders_of(sizes, batch_size, seed, paired=paired, shard=shard)
        self.size = max(sizes.values())
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.batches_per_epoch = max(order.batches_per_epoch for order in self.orders.values())
        self.seek(0)

    def seek(self, drawn: int) -> None:
        """Goes to where `drawn` batches have been drawn since the run began."""
        self.drawn = drawn

    def __call__(self) -> Batch:
        """The next batch."""
        batch = {key: self._take(key, self.orders[key].batch(self.drawn, self.device)) for key in self.tensors}
        self.drawn += 1
        return batch

    def prepare(self, draws: int) -> None:
        """Nothing: all batches are here already."""

    def first(self, n: int) -> Batch:
        """The first n examples as the files have them (again from the start where there are fewer)."""
        number = torch.arange(n, device=self.device)
        return {key: self._take(key, number % len(tensor)) for key, tensor in self.tensors.items()}

    def close(self) -> None:
        """Nothing: all of it is here already."""

    def _take(self, key: str, index: Tensor) -> Tensor:
        return self.to_unit(key, self.tensors[key][index])


class Order:
    """The order of `size` examples, epoch by epoch: a pure function of (seed, epoch, position).

    key: of an unpaired domain, whose order is another one than that of other keys.
    shard: (rank, ranks): the rank's rows of each batch; those of all ranks, one after the other, are the global batch.
    """

    def __init__(self, size: int, batch_size: int, seed: int, key: str = "", shard: Shard = WHOLE) -> None:
        self.size = size
        self.batch_size = batch_size
        self.batches_per_epoch = math.ceil(size / batch_size)
        self.seed = seed
        self.key = key
        rank, ranks = shard
        self.part = slice(rank * batch_size // ranks, (rank + 1) * batch_size // ranks)
        self._epoch = -1
        self._rows = torch.empty(0)

    def batch(self, number: int, device: torch.device) -> Tensor:
        """The examples (batch_size / ranks,) of the batch of that number, counted from the run's beginning."""
        epoch, position = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._rows = epoch, self.shuffle(epoch)[:, self.part].to(device)
        return self._rows[position]

    def rows(self, first: int, count: int, device: torch.device) -> Tensor:
        """The examples of so many batches from the batch `first` on, a row each (count, batch_size / ranks)."""
        parts, number = [], first
        while number < first + count:
            self.batch(number, device)
            position = number % self.batches_per_epoch
            parts.append(self._rows[position : position + first + count - number])
            number += len(parts[-1])
        return torch.cat(parts)

    def shuffle(self, epoch: int) -> Tensor:
        """The epoch's order, a row a global batch (batches_per_epoch, batch_size), of seed, epoch and key alone."""
        state = int(np.random.SeedSequence([self.seed, epoch, *self.key.encode()]).generate_state(1, np.uint64)[0])
        order = torch.randperm(self.size, generator=torch.Generator().manual_seed(state))
        full = order.repeat(math.ceil(self.batches_per_epoch * self.batch_size / self.size))
        return full[: self.batches_per_epoch * self.batch_size].view(self.batches_per_epoch, self.batch_size)


def orders_of(
    sizes: Mapping[str, int], batch_size: int, seed: int, *, paired: bool, shard: Shard = WHOLE
) -> dict[str, Order]:
    """The order of each key's examples: one for all of them where they belong together.

    Raises: DatasetError where paired keys have different numbers of examples, or ranks cannot share a batch equally.
    """
    if paired and len(set(sizes.values())) > 1:
        said = ", ".join(f"{size:,} of {key}" for key, size in sizes.items())
        raise DatasetError(f"the data belong together one by one, and there are {said}.")
    if batch_size % shard[1]:
        raise DatasetError(
            f"{shard[1]} ranks cannot share batches of {batch_size} equally.",
            remedy=f"Set train.batch_size to a multiple of {shard[1]}.",
        )
    if paired:
        return dict.fromkeys(sizes, Order(max(sizes.values()), batch_size, seed, shard=shard))
    return {key: Order(size, batch_size, seed, key, shard) for key, size in sizes.items()}
