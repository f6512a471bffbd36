"""A recipe reduced for tests: few steps and few samples of synthetic data, so that it plays in seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ganzoo.core.data import DatasetInfo, Examples
from ganzoo.datasets.obtain import Obtained
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import DryRun, dry_run
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_dataset
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.testing.recording import RoundRecorder
from ganzoo.testing.streams import start_stream
from ganzoo.testing.synthetic import candidate_infos, info_without_files, resized, synthetic_samples
from ganzoo.training.assembly import assemble
from ganzoo.training.state import Training

STEPS = 8
"""The budget of a played recipe, for schedules."""

BATCH = 4
"""Real samples a draw at most."""

LARGE_SIDE = 64
"""Side in pixels above which smaller images are tried first."""

LARGE_PARAMETER_COUNT = 5_000_000
"""Number of parameters above which fewer steps are played."""


RecipeReader = Callable[[Mapping[str, tuple[Any, str]]], Recipe]
"""Reads a recipe with settings on top, as `ganzoo.recipe.read_recipe` takes them."""


class RecipeFixture:
    """A recipe with synthetic data.

    read: reads it, with settings applied; distribution: that it belongs to; info: returns the description of the data,
    if it is not that of the recipe's data set. checkpoints: of one run, once it was played.
    """

    def __init__(self, read: RecipeReader, distribution: str, info: Callable[[], DatasetInfo] | None = None) -> None:
        self.distribution = distribution
        self._read = read
        self._info = info
        self.checkpoints: list[Checkpoint] = []

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with a small budget. Raises: RecipeError."""
        batch_size = min(self._read({}).train.batch_size, BATCH)
        small = {"steps": STEPS, "batch_size": batch_size, "precision": "fp32"}
        return self._read({f"train.{key}": (value, "the kit") for key, value in small.items()})

    @cached_property
    def own_info(self) -> DatasetInfo | None:
        """The description of its data set or fallback, if one of them gives it without files; else None."""
        if self._info is not None:
            return self._info()
        for choice in (self.recipe.dataset, self.recipe.fallback):
            if choice is not None and (info := info_without_files(choice)):
                return info
        return None

    @cached_property
    def rehearsal(self) -> DryRun:
        """A dry run on its own data's description, or on the first candidate that fits. Raises: RecipeError."""
        if self.own_info is not None:
            return dry_run(self.recipe, self.own_info)
        refused: list[RecipeError] = []
        for info in candidate_infos():
            try:
                return dry_run(self.recipe, info)
            except RecipeError as error:
                refused.append(error)
        raise refused[0]

    @cached_property
    def small_dry_run(self) -> DryRun:
        """The same on smaller images, if the networks take them."""
        info = self.rehearsal.info
        if info.kind == "image" and max(info.sample_shape) > LARGE_SIDE:
            for side in (32, LARGE_SIDE):
                try:
                    return dry_run(self.recipe, resized(info, side))
                except (RecipeError, GanzooError):
                    continue
        return self.rehearsal

    def training(self, seed: int = 0) -> Training:
        """A new run at step 0, with networks initialised from `seed`; training continues the same random stream."""
        info = self.small_dry_run.info
        examples = Examples(
            tensors=synthetic_samples(info, 4 * self.recipe.train.batch_size), checksum="", origin="made up"
        )
        start_stream(seed)
        dataset = build_dataset(self.recipe.dataset)
        obtained = Obtained(self.recipe.dataset, dataset, info, Path(), loaded=examples)
        training = assemble(self.recipe, obtained, self.small_dry_run, torch.device("cpu"))
        training.game.train()
        return training

    @cached_property
    def recording(self) -> RoundRecorder:
        """A record of one or two rounds."""
        return RoundRecorder(self.training(), 2 if self.steps_per_checkpoint > 1 else 1)

    @property
    def steps_per_checkpoint(self) -> int:
        """Steps between checkpoints: one if the networks are large."""
        return 1 if sum(self.rehearsal.parameters.values()) > LARGE_PARAMETER_COUNT else 3


def recipe_reader(entry: Entry) -> RecipeReader:
    """A function that reads an installed recipe."""
    return lambda settings: read_recipe(zoo().recipe_path(entry), settings=settings)
