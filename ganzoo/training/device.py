"""The device a run trains on."""

from __future__ import annotations

import torch

from ganzoo.errors import GanzooError


def choose_device(name: str) -> torch.device:
    """ "auto" (CUDA where there is one, else the CPU), "cpu", "cuda" or "cuda:1".

    Raises: GanzooError where the device does not exist on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind == "cpu" and not index:
        return torch.device("cpu")
    if kind != "cuda" or (index and not index.isdecimal()):
        raise GanzooError(f'there is no device "{name}".', remedy="Devices: auto, cpu, cuda, cuda:0, cuda:1, ...")
    count = torch.cuda.device_count()
    if int(index or 0) >= count:
        raise GanzooError(
            f'this machine has no device "{name}": torch sees {count} CUDA devices.', remedy="Use --device cpu."
        )
    return torch.device("cuda", int(index or 0))
