"""Batches for captured rounds: everything they read is on the device before the round starts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch
from ganzoo.training.device_data import DeviceData, Order


class IndexedBatchFeed:
    """Batches from data on the device, gathered with an index table and a position counter that are on the device too.

    The host uploads the indices of about an epoch of batches at once, and nothing until they are used up.
    max_draws: the largest number that `prepare` is called with.
    """

    def __init__(self, data: DeviceData, max_draws: int) -> None:
        self.data = data
        self.window = data.batches_per_epoch + max_draws
        self.position = torch.zeros(1, dtype=torch.int64, device=data.device)
        self.indices: dict[Order, Tensor] = {
            order: torch.empty((self.window, order.part.stop - order.part.start), dtype=torch.int64, device=data.device)
            for order in data.orders.values()
        }
        self.remaining = 0

    def prepare(self, draws: int) -> None:
        """Uploads indices if fewer than `draws` batches can be drawn with those on the device."""
        if self.remaining < draws:
            for order, indices in self.indices.items():
                indices.copy_(order.rows(self.data.drawn, self.window, self.data.device))
            self.position.zero_()
            self.remaining = self.window

    def __call__(self) -> Batch:
        """The next batch, by operations that can be captured."""
        selected = {order: table.index_select(0, self.position).squeeze(0) for order, table in self.indices.items()}
        self.position += 1
        self.remaining -= 1
        self.data.drawn += 1
        tensors, orders = self.data.tensors, self.data.orders
        examples = {key: tensor.index_select(0, selected[orders[key]]) for key, tensor in tensors.items()}
        return {key: self.data.to_unit(key, stored) for key, stored in examples.items()}

    @property
    def state(self) -> tuple[int, int]:
        """The state on the host: batches remaining in the index table, batches drawn since the start of the run."""
        return self.remaining, self.data.drawn

    @state.setter
    def state(self, state: tuple[int, int]) -> None:
        self.remaining, self.data.drawn = state

    @staticmethod
    def advanced(state: tuple[int, int], draws: int) -> tuple[int, int]:
        """The state after `draws` more batches."""
        return state[0] - draws, state[1] + draws


class BufferedBatchFeed:
    """Batches from streamed data, by way of static buffers on the device that the host fills before each round.

    data: called for the next batch; counts them in its `drawn`. max_draws: the largest number that `prepare` is called
    with.
    """

    def __init__(self, data: Any, max_draws: int) -> None:
        self.data = data
        self.buffers: list[dict[str, Tensor]] = [{} for _ in range(max_draws)]
        self.next = 0

    def prepare(self, draws: int) -> None:
        """Copies the next `draws` batches into the buffers."""
        for buffer in self.buffers[:draws]:
            for key, value in self.data().items():
                if key in buffer:
                    buffer[key].copy_(value, non_blocking=True)
                else:
                    buffer[key] = value.clone()
        self.next = 0

    def __call__(self) -> Batch:
        """The next buffered batch."""
        self.next += 1
        return dict(self.buffers[self.next - 1])

    @property
    def state(self) -> tuple[int, int]:
        """The state on the host: buffered batches used, batches drawn since the start of the run."""
        return self.next, self.data.drawn

    @state.setter
    def state(self, state: tuple[int, int]) -> None:
        self.next = state[0]  # batches count as drawn when they are buffered

    @staticmethod
    def advanced(state: tuple[int, int], draws: int) -> tuple[int, int]:
        """The state after `draws` more batches."""
        return state[0] + draws, state[1]
