"""What run.json says: the facts of a run, written by `train` and read by whoever looks at it afterwards."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import torch

from ganzoo.core.data import DatasetInfo, Examples, Source
from ganzoo.errors import GanzooError


def data_changed(facts: dict[str, Any], examples: Examples | Source) -> str:
    """How the data at hand differ from those that the facts are of; nothing where they are the same.

    What was read whole and is now streamed, or the other way round, is known by its listing.
    """
    then, now = facts["dataset"]["checksum"], examples.checksum
    if then.partition(":")[0] != now.partition(":")[0]:
        then, now = facts["dataset"].get("listing") or then, examples.listing or now
    return "" if then == now else f"It was {then}, and now it is {now}."


def machine(device: torch.device) -> dict[str, Any]:
    """What a run goes on, as run.json says it."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": {"type": device.type, "name": name, "threads": torch.get_num_threads()}}


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def info_of(facts: dict[str, Any]) -> DatasetInfo:
    """The data set's info as run.json keeps it."""
    data = facts["dataset"]
    try:
        return DatasetInfo.from_json(data)
    except (KeyError, TypeError) as error:
        raise GanzooError(f"run.json does not say what the data are: {error}.") from error
