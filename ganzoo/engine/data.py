"""Real samples that live on the training device, in an order that needs no replay."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ganzoo.interfaces import Batch, Examples


class DeviceData:
    """One split on the device, as uint8 (images) or float32 (points); shuffling and normalising happen there.

    The order is a pure function of (seed, epoch, position): `seek` goes anywhere at once. Every batch has the full
    size: the last of an epoch is topped up from the start of the same epoch's order, so that batch statistics and
    captured graphs never meet a short one. An epoch of n samples has ceil(n / batch_size) batches.
    """

    def __init__(
        self, examples: Examples, keys: Iterable[str], *, batch_size: int, seed: int, device: torch.device
    ) -> None:
        self.tensors = {key: examples.tensors[key].to(device) for key in keys}
        self.size = len(examples.tensors["image"])
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.batches_per_epoch = math.ceil(self.size / batch_size)
        self.seek(0)

    def seek(self, drawn: int) -> None:
        """Goes to where `drawn` batches have been drawn since the run began."""
        self.drawn = drawn
        self._order = self._shuffle(drawn // self.batches_per_epoch)

    def __call__(self) -> Batch:
        """The next batch."""
        epoch, position = divmod(self.drawn, self.batches_per_epoch)
        if position == 0:
            self._order = self._shuffle(epoch)
        self.drawn += 1
        return self._take(self._order[position])

    def first(self, n: int) -> Batch:
        """The first n examples as the files have them (again from the start where there are fewer)."""
        return self._take(torch.arange(n, device=self.device) % self.size)

    def _take(self, index: Tensor) -> Batch:
        return {key: to_unit_range(tensor[index]) for key, tensor in self.tensors.items()}

    def _shuffle(self, epoch: int) -> Tensor:
        """The epoch's order, one row a batch (batches_per_epoch, batch_size), made from (seed, epoch) alone."""
        state = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0])
        order = torch.randperm(self.size, generator=torch.Generator().manual_seed(state))
        full = order.repeat(math.ceil(self.batches_per_epoch * self.batch_size / self.size))
        rows = full[: self.batches_per_epoch * self.batch_size].view(self.batches_per_epoch, self.batch_size)
        return rows.to(self.device)


def to_unit_range(samples: Tensor) -> Tensor:
    """uint8 images 0..255 -> float32 in [-1, 1]; everything else (labels, points) as it is."""
    return samples.to(torch.float32).div_(127.5).sub_(1.0) if samples.dtype == torch.uint8 else samples
