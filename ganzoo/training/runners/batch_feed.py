"""Batches for a captured round: what the host has to bring is on the device before the round begins."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch
from ganzoo.training.device_data import DeviceData, Order


class OrderFeed:
    """Draws from data on the device by a piece of their order that lies there, too, and a counter beside it.

    The host brings the order of the next batches, about an epoch of them, and then nothing until they are drawn. draws:
    the most that `prepare` is asked for.
    """

    def __init__(self, data: DeviceData, draws: int) -> None:
        self.data = data
        self.window = data.batches_per_epoch + draws
        self.position = torch.zeros(1, dtype=torch.int64, device=data.device)
        self.rows: dict[Order, Tensor] = {
            order: torch.empty((self.window, order.part.stop - order.part.start), dtype=torch.int64, device=data.device)
            for order in data.orders.values()
        }
        self.left = 0

    def prepare(self, draws: int) -> None:
        """Sees to it that so many batches can be drawn without the host."""
        if self.left < draws:
            for order, rows in self.rows.items():
                rows.copy_(order.rows(self.data.drawn, self.window, self.data.device))
            self.position.zero_()
            self.left = self.window

    def __call__(self) -> Batch:
        """The next batch, by operations that a graph can hold."""
        rows = {order: rows.index_select(0, self.position).squeeze(0) for order, rows in self.rows.items()}
        self.position += 1
        self.left -= 1
        self.data.drawn += 1
        tensors, orders = self.data.tensors, self.data.orders
        examples = {key: tensor.index_select(0, rows[orders[key]]) for key, tensor in tensors.items()}
        return {key: self.data.to_unit(key, stored) for key, stored in examples.items()}

    @property
    def state(self) -> tuple[int, int]:
        """What the host knows of it: batches left, and batches drawn since the run began."""
        return self.left, self.data.drawn

    @state.setter
    def state(self, state: tuple[int, int]) -> None:
        self.left, self.data.drawn = state

    @staticmethod
    def moved(state: tuple[int, int], draws: int) -> tuple[int, int]:
        """The state after so many draws."""
        return state[0] - draws, state[1] + draws


class BufferFeed:
    """Draws from data that come from elsewhere, by way of buffers on the device that the host fills before each round.

    data: called for the next batch, counted in its `drawn`. draws: the most that `prepare` is asked for.
    """

    def __init__(self, data: Any, draws: int) -> None:
        self.data = data
        self.buffers: list[dict[str, Tensor]] = [{} for _ in range(draws)]
        self.next = 0

    def prepare(self, draws: int) -> None:
        """Brings the next so many batches."""
        for buffer in self.buffers[:draws]:
            for key, value in self.data().items():
                if key in buffer:
                    buffer[key].copy_(value, non_blocking=True)
                else:
                    buffer[key] = value.clone()
        self.next = 0

    def __call__(self) -> Batch:
        """The next batch of those that were brought."""
        self.next += 1
        return dict(self.buffers[self.next - 1])

    @property
    def state(self) -> tuple[int, int]:
        """What the host knows of it: batches handed out, and batches drawn since the run began."""
        return self.next, self.data.drawn

    @state.setter
    def state(self, state: tuple[int, int]) -> None:
        self.next = state[0]  # what was brought was drawn then

    @staticmethod
    def moved(state: tuple[int, int], draws: int) -> tuple[int, int]:
        """The state after so many draws."""
        return state[0] + draws, state[1]
