"""What run.json says: the facts of a run, written by `train` and read by whoever looks at it afterwards."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from ganzoo import __version__
from ganzoo.engine.streaming import StreamedData
from ganzoo.errors import GanzooError
from ganzoo.interfaces import DatasetInfo, Examples, Source

if TYPE_CHECKING:
    from ganzoo.datasets.obtain import Obtained
    from ganzoo.recipe.model import Recipe
    from ganzoo.training import Training


def facts_of(recipe: Recipe, obtained: Obtained, training: Training) -> dict[str, Any]:
    """run.json at a run's beginning: `step`, `seconds`, `status` and `reason` follow the run, the rest stays."""
    info, examples = obtained.info, obtained.data
    entries = [recipe.game.entry, recipe.dataset.entry, *(c.entry for c in recipe.optimizers.values())]
    entries += [c.entry for c in (recipe.generator, recipe.discriminator, recipe.loss, *recipe.regularizers) if c]
    return {
        "format": 1,
        "status": "running",
        "reason": "",
        "recipe": recipe.name,
        "description": recipe.description,
        "step": 0,
        "total_steps": training.total_steps,
        "seconds": 0.0,
        "started": now(),
        "resumed": [],
        "pid": os.getpid(),
        **machine(training.device),
        "ranks": training.ranks.size,
        **runner_of(training),
        "data": data_facts(obtained, training),
        "versions": {
            "ganzoo": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            **{name: version(name) for name in ("torchvision", "safetensors", "numpy")},
        },
        "plugins": {entry.distribution: entry.version for entry in entries},
        "seeds": {"train": recipe.train.seed},
        "precision": recipe.train.precision,
        "directions": list(training.game.directions),
        "parameters": {name: sum(p.numel() for p in player.parameters) for name, player in training.players.items()},
        "dataset": {
            "name": obtained.choice.entry.name,
            "checksum": examples.checksum,
            "origin": examples.origin,
            "root": str(obtained.root.resolve()),
            "listing": examples.listing,
            "size": max(examples.sizes[key] for key in info.gives),
            "sample_shape": list(info.sample_shape),
            "shapes": {key: list(shape) for key, shape in info.shapes.items()},
            "paired": info.paired,
            "classes": list(info.classes),
            "gives": list(info.gives),
            "kind": info.kind,
            "licence": info.licence,
            "source": info.source,
            "notes": list(info.notes),
            "fallback": obtained.fallback_reason
            and {"instead_of": recipe.dataset.entry.name, "reason": obtained.fallback_reason},
        },
    }


def data_facts(obtained: Obtained, training: Training) -> dict[str, Any]:
    """Where the data live while the run goes on, and why there."""
    workers = {"workers": training.data.workers} if isinstance(training.data, StreamedData) else {}
    return {"on": obtained.placement.where, "why": obtained.placement.why, **workers}


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


def runner_of(training: Training) -> dict[str, str]:
    """How the rounds are played, and why so, as run.json says it."""
    return {"runner": training.runner.name, "runner_reason": training.runner.reason}


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def info_of(facts: dict[str, Any]) -> DatasetInfo:
    """The data set's info as run.json keeps it."""
    data = facts["dataset"]
    try:
        return DatasetInfo(
            sample_shape=tuple(data["sample_shape"]),
            size=data["size"],
            classes=tuple(data["classes"]),
            gives=tuple(data["gives"]),
            kind=data["kind"],
            shapes={key: tuple(shape) for key, shape in data.get("shapes", {}).items()},
            paired=data.get("paired", True),
        )
    except KeyError as error:
        raise GanzooError(f"run.json does not say the data set's {error}.") from error
