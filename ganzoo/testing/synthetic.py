"""Synthetic data: descriptions of data sets, and random samples that agree with a description."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.core.data import DatasetInfo, Field, Shape
from ganzoo.errors import DatasetUnavailable
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.recipe.model import Choice
from ganzoo.recipe.parts import build_dataset
from ganzoo.testing.offline import offline

N_CLASSES = 10
"""Classes of the synthetic data."""

IMAGES: tuple[Shape, ...] = ((1, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 64))
"""Shapes of images that networks are tried with."""

LARGER_IMAGES: tuple[Shape, ...] = ((1, 64, 64), (3, 128, 128), (3, 256, 256))
"""Shapes of images for networks that refuse all of IMAGES."""


def labelled(shape: Shape, kind: str = "image", dtype: str = "uint8") -> DatasetInfo:
    """A description of images, or of another kind of samples, with labels."""
    fields = {"real": Field(shape, dtype), "label": Field.label([str(number) for number in range(N_CLASSES)])}
    return DatasetInfo(fields=fields, size=100, kind=kind)


POINTS = labelled((2,), "point", "float32")

STANDARD: tuple[DatasetInfo, ...] = (*map(labelled, IMAGES), POINTS)
"""Data that networks are tried with where no recipe of their plugin says on which data they are played."""

LARGER: tuple[DatasetInfo, ...] = tuple(map(labelled, LARGER_IMAGES))
"""Data for networks that refuse all of STANDARD."""


def candidate_infos() -> Iterator[DatasetInfo]:
    """Candidate descriptions of data, for recipes on the user's own files: labelled samples, then two domains."""
    yield from STANDARD
    for shape in IMAGES:
        images = Field(shape, "uint8", "domain")
        yield DatasetInfo(fields={"a": images, "b": images}, size=100)


def resized(info: DatasetInfo, side: int) -> DatasetInfo:
    """The same data with images of `side` pixels, in whatever fields there are images."""
    fields = {
        key: replace(field, shape=(field.shape[0], side, side)) if info.kind_of(key) == "image" else field
        for key, field in info.fields.items()
    }
    return replace(info, fields=fields)


def info_without_files(choice: Choice) -> DatasetInfo | None:
    """A data set's info, or None if that needs files."""
    with tempfile.TemporaryDirectory() as folder, offline():
        try:
            return build_dataset(choice).info(Path(folder))
        except DatasetUnavailable:
            return None


def synthetic_samples(info: DatasetInfo, n: int) -> dict[str, Tensor]:
    """n random samples that agree with `info`, as they are stored."""
    stream = torch.Generator().manual_seed(0)
    kinds = FieldKinds(info)
    return {key: stored_examples(kinds, key, n, stream) for key in info.gives}


def stored_examples(kinds: FieldKinds, key: str, n: int, stream: torch.Generator) -> Tensor:
    """n random examples of one key, as they are stored."""
    kind, field = kinds.kinds[key], kinds.info.fields[key]
    if field.classes:
        return (torch.arange(n) % len(field.classes)).view(n, *(1 for _ in field.shape)).expand(n, *field.shape)
    if kind is None:
        return torch.rand(n, *field.shape, generator=stream).round().to(field.torch_dtype)
    low, high = kind.bounds or (-1.0, 1.0)
    unit = torch.rand(n, *kind.unit_shape(field.shape), generator=stream) * (high - low) + low
    return kind.from_unit(unit, field)
