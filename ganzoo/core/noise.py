"""Noise whose rows do not depend on how the work is divided: between the ranks of a run, or by the number of samples.

Every rank draws the numbers for all from a stream that all have in common, and takes its own rows: drawing is cheap,
and nothing has to be sent. Whatever else is drawn (dropout, a pool of images) comes from the rank's own default stream.
Where samples are drawn for a user, blocks of a fixed number of rows are drawn whole, and those that are wanted taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzoo.core.random_streams import random_states, seed_everything

_now: ContextVar[JointNoise | None] = ContextVar("joint_noise", default=None)
_block: ContextVar[int | None] = ContextVar("rows_of_a_block", default=None)


class JointNoise:
    """The stream that all ranks have in common, and the rows of it that belong to this one. rank: of `size`."""

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank = rank
        self.size = size
        self.device = device
        self.stream = torch.Generator(device)

    def begin(self, seed: int) -> None:
        """Goes on where the default stream is, as a single rank would, and gives this rank a default stream of its own.

        No two ranks of a run draw the same from those, and none draws there what all draw here.
        """
        self.stream.set_state(random_states(self.device)[self.device.type])
        own = np.random.SeedSequence([seed, self.rank, *b"rank"]).generate_state(1, np.uint64)[0]
        seed_everything(int(own))

    @property
    def state(self) -> dict[str, Tensor]:
        """Where the stream is (uint8), by a name that says the kind of device."""
        return {f"joint-{self.device.type}": self.stream.get_state()}

    def go_to(self, states: Mapping[str, Tensor], seed: int) -> None:
        """Goes to where `state` was; to the beginning of `seed` where that was on another kind of device."""
        at = states.get(f"joint-{self.device.type}")
        self.stream = self.stream.set_state(at) if at is not None else self.stream.manual_seed(seed)

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Inside, `joint` draws for all ranks."""
        token = _now.set(self)
        try:
            yield
        finally:
            _now.reset(token)


@contextmanager
def drawn_in_blocks(rows: int) -> Iterator[None]:
    """Inside, `joint` draws whole blocks of so many rows, so that the k-th row does not depend on how many are wanted.

    It would: on a CPU torch draws the last 16 normal numbers a second time unless there is a multiple of 16 of them,
    and on a GPU every number depends on how many there are.
    """
    token = _block.set(rows)
    try:
        yield
    finally:
        _block.reset(token)


def joint(draw: Callable[..., Tensor], n: int, *shape: int, **options: Any) -> Tensor:
    """`draw(n, *shape)` from torch's default stream; in a round that several ranks play, this one's n rows of what a
    single rank would draw for all of them. draw: torch.randn or torch.rand; options: its dtype, its device.

    Where a run is sampled, the k-th row is the same whatever n is.
    """
    noise, block = _now.get(), _block.get()
    if noise is None and block is not None:
        blocks = [draw(block, *shape, **options) for _ in range(0, max(n, 1), block)]
        return (blocks[0] if len(blocks) == 1 else torch.cat(blocks))[:n]
    if noise is None:
        return draw(n, *shape, **options)
    drawn = draw(n * noise.size, *shape, generator=noise.stream, **options)
    return drawn[noise.rank * n : (noise.rank + 1) * n]
