"""A recipe reduced for tests: few steps and few samples of synthetic data, so that it plays in seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.core.data import DatasetInfo, Examples, Field, Shape
from ganzoo.datasets.obtain import Obtained
from ganzoo.errors import DatasetUnavailable, GanzooError, RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import DryRun, dry_run
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.parts import build_dataset
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.testing.datasets import offline
from ganzoo.testing.recording import RoundRecorder
from ganzoo.testing.streams import start_stream
from ganzoo.testing.subject import N_CLASSES, SHAPES
from ganzoo.training.launch import assemble
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
        if len(info.sample_shape) == 3 and max(info.sample_shape) > LARGE_SIDE:
            for side in (32, LARGE_SIDE):
                try:
                    return dry_run(self.recipe, resized_info(info, side))
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


def info_without_files(choice: Choice) -> DatasetInfo | None:
    """A data set's info, or None if that needs files."""
    with tempfile.TemporaryDirectory() as folder, offline():
        try:
            return build_dataset(choice).info(Path(folder))
        except DatasetUnavailable:
            return None


def candidate_infos() -> Iterator[DatasetInfo]:
    """Candidate descriptions of data, for recipes on the user's own files."""
    yield from map(labelled_info, SHAPES)
    for shape in SHAPES:
        if len(shape) > 1:
            images = Field(shape, "uint8", "domain")
            yield DatasetInfo(fields={"a": images, "b": images}, size=100)


def labelled_info(shape: Shape) -> DatasetInfo:
    """A description of images or points with labels."""
    kind, dtype = ("image", "uint8") if len(shape) > 1 else ("point", "float32")
    fields = {"real": Field(shape, dtype), "label": Field.label([str(number) for number in range(N_CLASSES)])}
    return DatasetInfo(fields=fields, size=100, kind=kind)


def resized_info(info: DatasetInfo, side: int) -> DatasetInfo:
    """The same data with pictures of `side` pixels."""
    fields = {
        key: replace(field, shape=(field.shape[0], side, side)) if len(field.shape) == 3 else field
        for key, field in info.fields.items()
    }
    return replace(info, fields=fields)


def synthetic_samples(info: DatasetInfo, n: int) -> dict[str, Tensor]:
    """n random samples that agree with `info`."""
    stream = torch.Generator().manual_seed(0)
    kinds = FieldKinds(info)

    def examples(key: str) -> Tensor:
        kind, field = kinds.kinds[key], info.fields[key]
        if field.classes:
            return (torch.arange(n) % len(field.classes)).view(n, *(1 for _ in field.shape)).expand(n, *field.shape)
        if kind is None:
            return torch.rand(n, *field.shape, generator=stream).round().to(field.torch_dtype)
        low, high = kind.bounds or (-1.0, 1.0)
        unit = torch.rand(n, *kind.unit_shape(field.shape), generator=stream) * (high - low) + low
        return kind.from_unit(unit, field)

    return {key: examples(key) for key in info.gives}
