"""The global random streams: torch's default one, which runs draw from, and those that they must leave alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ganzoo.testing.failure import Failure

SEED = 20_140_610
"""Where torch's stream begins for every question: a number that nobody would choose to seed it with."""


def start_stream(seed: int) -> None:
    """Starts torch's default stream of the CPU. (torch.manual_seed visits every other kind of device, too: slow.)"""
    torch.default_generator.manual_seed(seed)


def streams() -> tuple[bytes, object, bytes]:
    """The global random streams as they are now: torch's, Python's and numpy's."""
    state = np.random.get_state(legacy=True)
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr((state[2:], state[1].tobytes())).encode()  # type: ignore[index]


def require_other_streams(one: bytes, other: bytes, what: str) -> None:
    """one, other: torch's stream after the same thing was done on two seeds. Raises: Failure where they are equal."""
    if one == other:
        raise Failure(
            f"after {what} torch's default stream is the same whatever the seed was.",
            "no torch.manual_seed: the run's stream is everybody's. Draw from it, and let the recipe seed it.",
        )


@contextmanager
def only_torchs_stream(what: str) -> Iterator[None]:
    """Inside, nothing may draw from Python's or numpy's global stream. Raises: Failure."""
    before = streams()
    yield
    for name, old, new in zip(("Python's random", "numpy.random"), before[1:], streams()[1:], strict=True):
        if old != new:
            raise Failure(
                f"{what} draws from {name}, which neither `[train] seed` starts nor a checkpoint keeps.",
                "draw from torch's default stream: torch.rand, torch.randn, torch.randint, without a generator.",
            )
