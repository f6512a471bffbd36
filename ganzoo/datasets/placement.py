"""Where a run's data live: on the device, all of them, or on disk, from where they are streamed."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from ganzoo.core.data import DatasetInfo

Wanted = Literal["auto", "device", "stream"]

SHARE = 0.5
"""Of the memory that is free, what data may take at most: the networks and their activations need the rest."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where, and why, in words for the display and run.json."""

    where: Literal["device", "stream"]
    why: str


def placement(info: DatasetInfo, device: torch.device, wanted: Wanted = "auto") -> Placement:
    """Decides before anything is loaded: what the whole split takes, against the memory that is free now.

    Data go to a GPU through the host's memory, so both are looked at. Several ranks on one machine share the host's.
    """
    needed = size_of(info)
    rooms = {"host": (needed * ranks_here(), psutil.virtual_memory().available)}
    if device.type == "cuda":
        rooms["GPU"] = (needed, torch.cuda.mem_get_info(device)[0])
    said = ", ".join(f"{in_words(free)} free on the {room}" for room, (_, free) in rooms.items())
    why = f"{in_words(needed)} of data, {said}"
    if wanted != "auto":
        return Placement(wanted, f'train.data = "{wanted}" ({why})')
    fits = all(takes <= SHARE * free for takes, free in rooms.values())
    return Placement("device" if fits else "stream", why)


def ranks_here() -> int:
    """How many processes train this run on this machine, as torchrun says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def size_of(info: DatasetInfo) -> int:
    """Bytes that the training split takes in memory, as its fields say."""
    return info.size * sum(math.prod(field.shape) * field.torch_dtype.itemsize for field in info.fields.values())


def in_words(size: int) -> str:
    """Bytes in the unit that suits them: "47.0 MB"."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
