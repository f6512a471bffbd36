"""Chooses the data set of a run: the one that its recipe names, or, if that is unavailable, its fallback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Source
from ganzoo.datasets.placement import Placement, PlacementSetting, placement
from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.recipe.model import Choice
from ganzoo.recipe.parts import BuildError, build_dataset

CPU = torch.device("cpu")
NOT_LOADED = Placement("device", "not loaded yet")


@dataclass(frozen=True, slots=True)
class Obtained:
    """The data set that was chosen for a run, before it is loaded; `load` returns a copy with the data.

    choice: the recipe's data set or its fallback; fallback_reason: why the fallback is used (None where it is not).
    placement: where `load` put the data, and why.
    """

    choice: Choice
    dataset: Dataset
    info: DatasetInfo
    root: Path
    fallback: Choice | None = None
    fallback_reason: str | None = None
    loaded: Examples | Source | None = None
    placement: Placement = NOT_LOADED

    @property
    def data(self) -> Examples | Source:
        """The loaded examples, or the source that streams them. Raises: DatasetError before `load`."""
        if self.loaded is None:
            raise DatasetError(f'the data set "{self.choice.entry.name}" is not loaded yet.')
        return self.loaded

    @property
    def examples(self) -> Examples:
        """The loaded examples. Raises: DatasetError where the data are streamed."""
        if isinstance(self.data, Source):
            raise DatasetError(f'the data set "{self.choice.entry.name}" is streamed: {self.placement.why}.')
        return self.data

    def load(self, device: torch.device = CPU, wanted: PlacementSetting = "device") -> Obtained:
        """Reads (and if necessary downloads) the training split, or opens it for streaming.

        Uses the fallback where the data set is unavailable. wanted: "auto" decides by the free memory.
        Raises: DatasetUnavailable without a fallback, DatasetError where files are damaged, or where a data set that
        cannot be streamed should be.
        """
        place = placement(self.info, device, wanted)
        try:
            examples: Examples | Source | None = None
            if place.where == "stream":
                examples = self.dataset.stream(self.root, "train")
                if examples is None and wanted == "stream":
                    raise DatasetError(
                        f'the data set "{self.choice.entry.name}" cannot be streamed: it is read as a whole.',
                        remedy='Leave train.data at "auto", or use a data set that can: image-folder, for one.',
                    )
            if examples is None:
                place = Placement("device", place.why + ("" if place.where == "device" else "; it cannot be streamed"))
                examples = self.dataset.load(self.root, "train")
        except DatasetUnavailable as error:
            if self.fallback is None:
                raise
            return _obtain_fallback(self.fallback, self.root, error).load(device, wanted)
        # The files may hold another number of samples than before, where they were downloaded or have changed.
        return replace(self, loaded=examples, info=self.dataset.info(self.root), placement=place)


def read_split(
    dataset: Dataset, root: Path, split: Literal["train", "test"], wanted: PlacementSetting = "auto"
) -> Examples | Source:
    """Reads a split into memory where it fits, and else opens it for streaming. Raises: DatasetError."""
    streams = placement(dataset.info(root), CPU, wanted).where == "stream"
    return (dataset.stream(root, split) if streams else None) or dataset.load(root, split)


def obtain(choice: Choice, fallback: Choice | None, root: Path, *, allow_fallback: bool) -> Obtained:
    """Chooses the named data set or its fallback, as far as that can be decided without loading.

    Raises: DatasetUnavailable, with the remedy, where the named one is unavailable and there is no (allowed) fallback.
    """
    allowed_fallback = fallback if allow_fallback else None
    dataset = _build(choice)
    try:
        info = dataset.info(root)
    except DatasetUnavailable as error:
        if allowed_fallback is None:
            raise
        return _obtain_fallback(allowed_fallback, root, error)
    return Obtained(choice, dataset, info, root, fallback=allowed_fallback)


def _obtain_fallback(choice: Choice, root: Path, error: DatasetUnavailable) -> Obtained:
    dataset = _build(choice)
    return Obtained(choice, dataset, dataset.info(root), root, fallback_reason=error.what)


def _build(choice: Choice) -> Dataset:
    try:
        return build_dataset(choice)
    except BuildError as error:
        if isinstance(error.cause, DatasetError):
            raise error.cause from error
        raise
