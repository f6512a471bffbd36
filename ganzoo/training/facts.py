"""What run.json says at a run's beginning, and how its rounds are played."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import torch

from ganzoo import __version__
from ganzoo.datasets.obtain import Obtained
from ganzoo.recipe.changes import played_digest
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.model import Recipe
from ganzoo.runs.facts import device_facts, utc_now
from ganzoo.training.streamed_data import StreamedData

if TYPE_CHECKING:
    from ganzoo.training.state import Training


def facts_of(recipe: Recipe, obtained: Obtained, training: Training) -> dict[str, Any]:
    """run.json at a run's beginning: `step`, `seconds`, `status` and `reason` follow the run, the rest stays."""
    info, examples = obtained.info, obtained.data
    entries = [recipe.game.entry, recipe.dataset.entry, *(c.entry for c in recipe.optimizers.values())]
    entries += [
        c.entry
        for c in (recipe.generator, recipe.discriminator, recipe.loss, *recipe.regularizers, *recipe.augmentations)
        if c
    ]
    return {
        "format": 1,
        "id": uuid4().hex,
        "status": "running",
        "reason": "",
        "recipe": recipe.name,
        "recipe_digest": played_digest(recipe.values),
        "description": recipe.description,
        "step": 0,
        "total_steps": training.total_steps,
        "seconds": 0.0,
        "started": utc_now(),
        "resumed": [],
        "pid": os.getpid(),
        **device_facts(training.device),
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
        "components": {each.table: f"{each.entry.plugin}:{each.entry.name}" for each in recipe.choices()},
        "seeds": {"train": recipe.train.seed},
        "precision": recipe.train.precision,
        "directions": list(training.game.directions),
        **({"start": training.began} if training.began else {}),
        "parameters": {name: sum(p.numel() for p in player.parameters) for name, player in training.players.items()},
        "dataset": {
            "name": obtained.choice.entry.name,
            "checksum": examples.checksum,
            "origin": examples.origin,
            "root": str(obtained.root.resolve()),
            "listing": examples.listing,
            **info.facts(),
            "size": max(examples.sizes[key] for key in info.gives),
            "plural": FieldKinds(info).sample.plural,
            "fallback": obtained.fallback_reason
            and {"instead_of": recipe.dataset.entry.name, "reason": obtained.fallback_reason},
        },
    }


def facts_after(before: dict[str, Any], now: dict[str, Any], *, same_data: bool) -> dict[str, Any]:
    """What run.json says differently of a run that goes on: before and now, `facts_of` its beginning and its present.

    same_data: the data are those of before, perhaps at another place.
    """
    taken = ("recipe_digest", "description", "plugins", "components", "seeds", "precision", "directions", "parameters")
    dataset = now["dataset"]
    if same_data:
        dataset = {**before["dataset"], **{key: dataset[key] for key in ("root", "origin")}}
    return {**{key: now[key] for key in taken}, "dataset": dataset}


def data_facts(obtained: Obtained, training: Training) -> dict[str, Any]:
    """Where the data live while the run goes on, and why there."""
    workers = {"workers": training.data.workers} if isinstance(training.data, StreamedData) else {}
    return {"on": obtained.placement.where, "why": obtained.placement.why, **workers}


def runner_of(training: Training) -> dict[str, str]:
    """How the rounds are played, and why so, as run.json says it."""
    return {"runner": training.runner.name, "runner_reason": training.runner.reason}
