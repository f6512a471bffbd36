"""A recipe made small enough to play in seconds: few steps, few samples, on made-up data of the right description."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.core.interfaces import DatasetInfo, Examples, Shape
from ganzoo.datasets.obtain import Obtained
from ganzoo.errors import DatasetUnavailable, GanzooError, RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import DryRun, dry_run
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.parts import build_dataset
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.testing.datasets import offline
from ganzoo.testing.recording import OperationRecorder
from ganzoo.testing.streams import start_stream
from ganzoo.testing.subject import N_CLASSES, SHAPES
from ganzoo.training.launch import assemble
from ganzoo.training.state import Training

STEPS = 8
"""The budget of a played recipe, for schedules."""

BATCH = 4
"""Real samples a draw at most."""

LARGE = 64
"""Pixels a side beyond which smaller pictures are tried first."""

MANY = 5_000_000
"""Parameters beyond which every step counts."""


Reader = Callable[[Mapping[str, tuple[Any, str]]], Recipe]
"""Reads a recipe with settings on top, as `ganzoo.recipe.read_recipe` takes them."""


class Scene:
    """One recipe.

    read: reads it, with settings on top; distribution: whose it is; info: the data's description, where it is not that
    of the recipe's own data set.
    halves: checkpoints of one run of it, once somebody has played it.
    """

    def __init__(self, read: Reader, distribution: str, info: Callable[[], DatasetInfo] | None = None) -> None:
        self.distribution = distribution
        self._read = read
        self._info = info
        self.halves: list[Checkpoint] = []

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with a small budget. Raises: RecipeError."""
        batch_size = min(self._read({}).train.batch_size, BATCH)
        small = {"steps": STEPS, "batch_size": batch_size, "precision": "fp32"}
        return self._read({f"train.{key}": (value, "the kit") for key, value in small.items()})

    @cached_property
    def own_info(self) -> DatasetInfo | None:
        """What its data set, or else its fallback, says without files; None where both need some."""
        if self._info is not None:
            return self._info()
        for choice in (self.recipe.dataset, self.recipe.fallback):
            if choice is not None and (info := info_without_files(choice)):
                return info
        return None

    @cached_property
    def rehearsal(self) -> DryRun:
        """A dry run on its own data's description, or on the first made-up one that fits. Raises: RecipeError."""
        if self.own_info is not None:
            return dry_run(self.recipe, self.own_info)
        refused: list[RecipeError] = []
        for info in guesses():
            try:
                return dry_run(self.recipe, info)
            except RecipeError as error:
                refused.append(error)
        raise refused[0]

    @cached_property
    def small(self) -> DryRun:
        """The same on smaller pictures, where the networks take them: what is learned does not matter here."""
        info = self.rehearsal.info
        if len(info.sample_shape) == 3 and max(info.sample_shape) > LARGE:
            for side in (32, LARGE):
                try:
                    return dry_run(self.recipe, with_side(info, side))
                except (RecipeError, GanzooError):
                    continue
        return self.rehearsal

    def training(self, seed: int = 0) -> Training:
        """A new run at step 0, its networks drawn from `seed`, with training to go on from the same stream."""
        info = self.small.info
        examples = Examples(tensors=made_up(info, 4 * self.recipe.train.batch_size), checksum="", origin="made up")
        start_stream(seed)
        dataset = build_dataset(self.recipe.dataset)
        obtained = Obtained(self.recipe.dataset, dataset, info, Path(), loaded=examples)
        training = assemble(self.recipe, obtained, self.small, torch.device("cpu"))
        training.game.train()
        return training

    @cached_property
    def recording(self) -> OperationRecorder:
        """One or two rounds with all that happened in them."""
        return OperationRecorder(self.training(), 2 if self.half > 1 else 1)

    @property
    def half(self) -> int:
        """Steps to play before a checkpoint, and again after it: one where the networks are large."""
        return 1 if sum(self.rehearsal.parameters.values()) > MANY else 3


def reader_of(entry: Entry) -> Reader:
    """Reads a recipe that stands on the shelf."""
    return lambda settings: read_recipe(zoo().recipe_path(entry), settings=settings)


def info_without_files(choice: Choice) -> DatasetInfo | None:
    """A data set's info, or None where it needs files."""
    with tempfile.TemporaryDirectory() as folder, offline():
        try:
            return build_dataset(choice).info(Path(folder))
        except DatasetUnavailable:
            return None


def guesses() -> Iterator[DatasetInfo]:
    """Descriptions of data that a recipe over a user's own files may be for."""
    yield from map(labelled, SHAPES)
    for shape in SHAPES:
        if len(shape) > 1:
            yield DatasetInfo(sample_shape=shape, size=100, gives=("a", "b"), shapes={"a": shape, "b": shape})


def labelled(shape: Shape) -> DatasetInfo:
    """A description of images or points with labels."""
    kind: Any = "images" if len(shape) > 1 else "points"
    classes = tuple(map(str, range(N_CLASSES)))
    return DatasetInfo(sample_shape=shape, size=100, classes=classes, gives=("image", "label"), kind=kind)


def with_side(info: DatasetInfo, side: int) -> DatasetInfo:
    """The same data with pictures of `side` pixels."""
    shapes = {key: (*shape[:1], side, side) for key, shape in info.shapes.items()}
    return replace(info, sample_shape=(*info.sample_shape[:1], side, side), shapes=shapes)


def made_up(info: DatasetInfo, n: int) -> dict[str, Tensor]:
    """n samples that agree with `info`."""
    stream = torch.Generator().manual_seed(0)

    def samples(shape: Shape) -> Tensor:
        if info.kind == "images":
            return torch.randint(256, (n, *shape), dtype=torch.uint8, generator=stream)
        return torch.randn(n, *shape, generator=stream)

    labels = torch.arange(n) % max(len(info.classes), 1)
    return {key: samples(info.shape_of(key)) if info.shape_of(key) else labels for key in info.gives}
