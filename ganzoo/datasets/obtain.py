"""Which data set a run gets: the one that its recipe names, or, said loudly, its fallback."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Source
from ganzoo.datasets.placement import Placement, Wanted, placement
from ganzoo.errors import DatasetError, DatasetUnavailable
from ganzoo.recipe.model import Choice
from ganzoo.recipe.parts import BuildError, build_dataset

CPU = torch.device("cpu")
NOT_YET = Placement("device", "not loaded yet")


@dataclass(frozen=True, slots=True)
class Obtained:
    """A data set that can probably be had, before it is loaded; `load` returns one with examples.

    choice: which of the recipe's two it is; fallback_reason: why not the named one (None: it is the named one).
    placement: where `load` left the data, and why.
    """

    choice: Choice
    dataset: Dataset
    info: DatasetInfo
    root: Path
    fallback: Choice | None = None
    fallback_reason: str | None = None
    loaded: Examples | Source | None = None
    placement: Placement = NOT_YET

    @property
    def data(self) -> Examples | Source:
        """What `load` read, or what reads it piece by piece. Raises: DatasetError before that."""
        if self.loaded is None:
            raise DatasetError(f'the data set "{self.choice.entry.name}" is not loaded yet.')
        return self.loaded

    @property
    def examples(self) -> Examples:
        """The same, read whole. Raises: DatasetError where it is not."""
        if isinstance(self.data, Source):
            raise DatasetError(f'the data set "{self.choice.entry.name}" is streamed: {self.placement.why}.')
        return self.data

    def load(self, device: torch.device = CPU, wanted: Wanted = "device") -> Obtained:
        """Reads (and where needed downloads) the training split, or finds what is to be streamed of it.

        Turns to the fallback where it cannot be had. wanted: "auto" goes by the memory that is free.
        Raises: DatasetUnavailable where there is no fallback, DatasetError where files are wrong, or where streaming is
        asked of a data set that does not offer it.
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
        # Files may hold another number of samples, or (a folder) have changed since they were looked at.
        return replace(self, loaded=examples, info=self.dataset.info(self.root), placement=place)


def read(dataset: Dataset, root: Path, split: Literal["train", "test"], wanted: Wanted = "auto") -> Examples | Source:
    """A split for looking at some of it: in memory where it fits there, else piece by piece. Raises: DatasetError."""
    streams = placement(dataset.info(root), CPU, wanted).where == "stream"
    return (dataset.stream(root, split) if streams else None) or dataset.load(root, split)


def obtain(choice: Choice, fallback: Choice | None, root: Path, *, allow_fallback: bool) -> Obtained:
    """Decides for the named data set or its fallback as far as that can be told without loading.

    Raises: DatasetUnavailable, with the remedy, where the named one cannot be had and there is no (allowed) fallback.
    """
    use = fallback if allow_fallback else None
    dataset = _build(choice)
    try:
        info = dataset.info(root)
    except DatasetUnavailable as error:
        if use is None:
            raise
        return _obtain_fallback(use, root, error)
    return Obtained(choice, dataset, info, root, fallback=use)


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
