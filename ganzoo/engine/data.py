"""Real samples that live on the training device, in an order that needs no replay."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ganzoo.errors import DatasetError
from ganzoo.interfaces import Batch, Examples


class DeviceData:
    """One split on the device, as uint8 (images) or float32 (points); shuffling and normalising happen there.

    Every batch has the full size: the last of an epoch is topped up from the start of the same epoch's order, so that
    batch statistics and captured graphs never meet a short one. An epoch of n samples has ceil(n / batch_size) batches.
    paired: one order for all keys, whose k-th examples belong together. Unpaired keys have an order each, and begin
    their next epoch when they are through; an epoch of the run is one of the largest.

    Raises: DatasetError where paired keys have different numbers of examples.
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
    ) -> None:
        self.tensors = {key: examples.tensors[key].to(device) for key in keys}
        sizes = {key: len(tensor) for key, tensor in self.tensors.items()}
        if paired and len(set(sizes.values())) > 1:
            said = ", ".join(f"{size:,} of {key}" for key, size in sizes.items())
            raise DatasetError(f"the data belong together one by one, and there are {said}.")
        self.size = max(sizes.values())
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        if paired:
            self.orders = dict.fromkeys(sizes, Order(self.size, batch_size, seed))
        else:
            self.orders = {key: Order(size, batch_size, seed, key) for key, size in sizes.items()}
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

    def first(self, n: int) -> Batch:
        """The first n examples as the files have them (again from the start where there are fewer)."""
        number = torch.arange(n, device=self.device)
        return {key: self._take(key, number % len(tensor)) for key, tensor in self.tensors.items()}

    def _take(self, key: str, index: Tensor) -> Tensor:
        return to_unit_range(self.tensors[key][index])


class Order:
    """The order of `size` examples, epoch by epoch: a pure function of (seed, epoch, position).

    key: of an unpaired domain, whose order is another one than that of other keys.
    """

    def __init__(self, size: int, batch_size: int, seed: int, key: str = "") -> None:
        self.size = size
        self.batch_size = batch_size
        self.batches_per_epoch = math.ceil(size / batch_size)
        self.seed = seed
        self.key = key
        self._epoch = -1
        self._rows = torch.empty(0)

    def batch(self, number: int, device: torch.device) -> Tensor:
        """The examples (batch_size,) of the batch of that number, counted from the run's beginning, on `device`."""
        epoch, position = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._rows = epoch, self.shuffle(epoch).to(device)
        return self._rows[position]

    def shuffle(self, epoch: int) -> Tensor:
        """The epoch's order, one row a batch (batches_per_epoch, batch_size), made from seed, epoch and key alone."""
        state = int(np.random.SeedSequence([self.seed, epoch, *self.key.encode()]).generate_state(1, np.uint64)[0])
        order = torch.randperm(self.size, generator=torch.Generator().manual_seed(state))
        full = order.repeat(math.ceil(self.batches_per_epoch * self.batch_size / self.size))
        return full[: self.batches_per_epoch * self.batch_size].view(self.batches_per_epoch, self.batch_size)


def to_unit_range(samples: Tensor) -> Tensor:
    """uint8 images 0..255 -> float32 in [-1, 1]; everything else (labels, points) as it is."""
    return samples.to(torch.float32).div_(127.5).sub_(1.0) if samples.dtype == torch.uint8 else samples


def to_uint8(images: Tensor) -> Tensor:
    """Images in [-1, 1] -> uint8 0..255, rounded and clipped, as a PNG holds them: the inverse of `to_unit_range`."""
    return images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
