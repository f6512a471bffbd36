"""Noise that the ranks of a run draw as one, so that N of them follow the course of a single one.

Every rank draws the numbers for all from a stream that all have in common, and takes its own rows: drawing is cheap, and
nothing has to be sent. Whatever else is drawn (dropout, a pool of images) comes from the rank's own default stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from torch import Tensor

_now: ContextVar[JointNoise | None] = ContextVar("joint_noise", default=None)


class JointNoise:
    """The stream that all ranks have in common, and the rows of it that belong to this one. rank: of `size`."""

    def __init__(self, rank: int, size: int, device: torch.device) -> None:
        self.rank = rank
        self.size = size
        self.stream = torch.Generator(device)

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


def seed_of_rank(seed: int, rank: int) -> int:
    """Where a rank's own stream starts: no two ranks of a run, and no rank and the joint stream, draw the same."""
    return int(np.random.SeedSequence([seed, rank, *b"rank"]).generate_state(1, np.uint64)[0])
