"""The contents of run.json: facts about a run, written by `train` and read by everything that examines runs."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import torch

from ganzoo.core.data import Examples, Source


def describe_data_change(facts: dict[str, Any], examples: Examples | Source) -> str:
    """How the data differ from those in the facts of a run, as a sentence; empty where they are the same.

    Data that were loaded and are now streamed, or the other way round, are compared by their listing.
    """
    then, now = facts["dataset"]["checksum"], examples.checksum
    if then.partition(":")[0] != now.partition(":")[0]:
        then, now = facts["dataset"].get("listing") or then, examples.listing or now
    return "" if then == now else f"It was {_shortened(then)}, and now it is {_shortened(now)}."


def _shortened(checksum: str) -> str:
    """A checksum as it is printed: those that ganzoo makes have 71 characters, and run.json may hold anything."""
    return checksum if len(checksum) <= 100 else f"{checksum[:71]}... ({len(checksum):,} characters)"


def device_facts(device: torch.device) -> dict[str, Any]:
    """The device of a run, as in run.json."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": {"type": device.type, "name": name, "threads": torch.get_num_threads()}}


def utc_now() -> str:
    """The current time in UTC, to the second, in ISO format."""
    return datetime.now(UTC).isoformat(timespec="seconds")
