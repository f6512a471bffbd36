"""Noise that the ranks of a run draw as one, so that N of them follow the course of a single one.

Every rank draws the numbers for all from a stream that all have in common, and takes its own rows: drawing is cheap,
and nothing has to be sent. Whatever else is drawn (dropout, a pool of images) comes from the rank's own default stream.
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


def joint(draw: Callable[..., Tensor], n: int, *shape: int, **options: Any) -> Tensor:
    """`draw(n, *shape)` from torch's default stream; in a round that several ranks play, this one's n rows of what a
    single rank would draw for all of them. draw: torch.randn or torch.rand; options: its dtype, its device.
    """
    noise = _now.get()
    if noise is None:
        return draw(n, *shape, **options)
    drawn = draw(n * noise.size, *shape, generator=noise.stream, **options)
    return drawn[noise.rank * n : (noise.rank + 1) * n]
