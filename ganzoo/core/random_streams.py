"""The random streams of torch that training draws from: seeding, saving, and looking without touching them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derived(*numbers: int) -> int:
    """A seed that depends on all of the numbers, and on nothing else."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def seed_everything(seed: int) -> None:
    """Starts the default random streams of the CPU and of every GPU at `seed`."""
    torch.manual_seed(seed)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Whatever is drawn inside leaves the random streams outside as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else [], device_type="cuda"):
        yield


def random_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of the random streams that training on `device` draws from, by device type (uint8)."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Puts the streams back to where `random_states` saw them; one saved on another kind of device is left out."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)


def to_text(state: torch.Tensor) -> str:
    """A random stream's state (uint8) as text."""
    return base64.b64encode(state.cpu().numpy().tobytes()).decode()


def from_text(text: str) -> torch.Tensor:
    """The inverse of `to_text`."""
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
