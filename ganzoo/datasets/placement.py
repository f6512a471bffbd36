"""Decides where a run's data are: all on the device, or on disk and streamed."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from ganzoo.core.data import DatasetInfo

PlacementSetting = Literal["auto", "device", "stream"]

MEMORY_SHARE = 0.5
"""The largest share of free memory that data may take; networks and activations need the rest."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the data are, and why, as text for the display and run.json."""

    where: Literal["device", "stream"]
    why: str


def placement(info: DatasetInfo, device: torch.device, wanted: PlacementSetting = "auto") -> Placement:
    """Compares the size of the whole split with the free memory, before anything is loaded.

    Data reach a GPU through the host's memory, so both are checked. Ranks on one machine share the host's memory.
    """
    needed = dataset_bytes(info)
    requirements = {"host": (needed * local_world_size(), psutil.virtual_memory().available)}
    if device.type == "cuda":
        requirements["GPU"] = (needed, torch.cuda.mem_get_info(device)[0])
    free_memory = ", ".join(f"{format_bytes(free)} free on the {memory}" for memory, (_, free) in requirements.items())
    why = f"{format_bytes(needed)} of data, {free_memory}"
    if wanted != "auto":
        return Placement(wanted, f'train.data = "{wanted}" ({why})')
    fits = all(takes <= MEMORY_SHARE * free for takes, free in requirements.values())
    return Placement("device" if fits else "stream", why)


def local_world_size() -> int:
    """The number of processes that train this run on this machine, as set by torchrun."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def dataset_bytes(info: DatasetInfo) -> int:
    """The size of the training split in memory in bytes, from its fields."""
    return info.size * sum(math.prod(field.shape) * field.torch_dtype.itemsize for field in info.fields.values())


def format_bytes(size: int) -> str:
    """A number of bytes in MB or GB: "47.0 MB"."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
