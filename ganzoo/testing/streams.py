"""The global random streams: torch's, which runs use, and those of Python and numpy, which they must not use."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ganzoo.testing.failure import Failure

SEED = 20_140_610
"""The seed of torch's stream for every check; unlikely to be a plugin's own seed."""


def start_stream(seed: int) -> None:
    """Seeds torch's default stream of the CPU. (torch.manual_seed seeds all devices, which is slow.)"""
    torch.default_generator.manual_seed(seed)


def streams() -> tuple[bytes, object, bytes]:
    """The present states of the global random streams: torch's, Python's and numpy's."""
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
