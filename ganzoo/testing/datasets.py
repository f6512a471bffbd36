"""Data sets: does `info` say what `load` gives? Those that need files are looked at as far as that goes without."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch

from ganzoo.core.data import Dataset, DatasetInfo, Examples
from ganzoo.errors import DatasetUnavailable
from ganzoo.plugins import error_text
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.offline import offline
from ganzoo.testing.streams import SEED, start_stream, streams
from ganzoo.testing.subject import Subject

SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")

MAX_INFO_SECONDS = 2.0
"""Seconds for `info`, which is to look at names and headers only."""


def dataset_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a data set."""
    described = Check(str(subject), "is described before it is loaded", is_described, lambda: subject, needs=needs)
    yield described
    yield Check(
        str(subject), "is known again from run.json", is_known_again, lambda: subject, needs=[*needs, described]
    )
    agrees = Check(
        str(subject), "holds what its info says", holds_what_it_says, lambda: subject, needs=[*needs, described]
    )
    yield agrees
    same = Check(str(subject), "is the same every time", same_every_time, lambda: subject, needs=[*needs, agrees])
    yield same
    yield Check(str(subject), "streams what it loads", streams_what_it_loads, lambda: subject, needs=[*needs, same])


def dataset_info_of(subject: Subject, root: Path) -> DatasetInfo:
    """Its info. Raises: NotChecked where that takes files."""
    dataset: Dataset = subject.build()
    try:
        return dataset.info(root)
    except DatasetUnavailable as error:
        require(error.remedy, f"it says only: {error.what}", "give DatasetUnavailable a remedy: what can the user do?")
        raise NotChecked(f"its info needs files: {error.what}", blocks=True) from error


def load(dataset: Dataset, root: Path, split: Any = "train") -> Examples:
    """One split, without a network. Raises: NotChecked where that takes files."""
    try:
        with offline():
            return dataset.load(root, split)
    except DatasetUnavailable as error:
        require(error.remedy, f"it says only: {error.what}", "give DatasetUnavailable a remedy: what can the user do?")
        raise NotChecked("its files are not here, and nothing is downloaded for a check", blocks=True) from error


def is_described(subject: Subject) -> None:
    """`info` is quick and complete: fields, size, classes, and the kind of samples, before anything is loaded."""
    with tempfile.TemporaryDirectory() as folder, offline():
        start = time.perf_counter()
        info = dataset_info_of(subject, Path(folder))
        seconds = time.perf_counter() - start
    if not isinstance(info, DatasetInfo):
        raise Failure(f"info returns a {type(info).__name__}.", "return a ganzoo.DatasetInfo.")
    require(seconds < MAX_INFO_SECONDS, f"info takes {seconds:.1f} seconds.", "look at names and headers only.")
    require(info.size > 0, f"its size is {info.size}.", "the number of training samples.")
    sizes = bool(info.sample_shape) and all(isinstance(side, int) and side > 0 for side in info.sample_shape)
    require(
        sizes,
        f"its sample_shape is {info.sample_shape}.",
        "the shape of one stored sample: (channels, height, width), (2,).",
    )
    labelled = ("label" in info.gives) == bool(info.classes)
    require(labelled, f"it gives {info.gives} and has {len(info.classes)} classes.", "labels and classes go together.")


def is_known_again(subject: Subject) -> None:
    """What `info` says can be kept in run.json, and from there its kind is built again as it was."""
    with tempfile.TemporaryDirectory() as folder, offline():
        info = dataset_info_of(subject, Path(folder))
    remedy = "details of a kind are JSON: numbers, text, lists and objects of these."
    try:
        again = DatasetInfo.from_json(json.loads(json.dumps(info.facts())))
    except (TypeError, ValueError) as error:
        raise Failure(f"its info cannot be written as JSON: {error_text(error)}.", remedy) from error
    require(again.fields == info.fields, f"from JSON its fields are {again.fields}, not {info.fields}.", remedy)
    kinds, kinds_again = FieldKinds(info), FieldKinds(again)
    for key in info.gives:
        shape, other = kinds.unit_shape(key), kinds_again.unit_shape(key)
        require(shape == other, f"from JSON networks see {key} as {other}, not {shape}.", remedy)


def holds_what_it_says(subject: Subject) -> None:
    """`load` gives what `info` says: keys, how many of each, shapes and dtypes; labels are int64, from 0 on."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dataset: Dataset = subject.build()
        examples, test = load(dataset, root), load(dataset, root, "test")
        info = dataset_info_of(subject, root)  # after loading, as the engine asks it
    for split, loaded in (("train", examples), ("test", test)):
        missing = set(info.gives) - set(loaded.tensors)
        require(not missing, f"{split} has no {missing}, which info.gives names.", "load every key.")
        for key in info.gives:
            tensor = loaded.tensors[key]
            field = info.fields[key]
            if field.classes:
                require(tensor.dtype == torch.int64, f"{split} labels are {tensor.dtype}.", "int64.")
                inside = bool(tensor.min() >= 0) and int(tensor.max()) < len(field.classes)
                ends = f"{int(tensor.min())} to {int(tensor.max())}"
                require(inside, f"{split} labels are {ends}, of {len(field.classes)} classes.", "0 to classes - 1.")
                continue
            seen = f"{split} {key}: {tuple(tensor.shape)} {tensor.dtype}"
            right = tuple(tensor.shape[1:]) == field.shape and tensor.dtype == field.torch_dtype
            require(right, f"{seen}, and info says {field.shape} {field.dtype} of each.", "make info and load agree.")
    sizes = {key: len(examples.tensors[key]) for key in info.gives}
    require(
        info.size == max(sizes.values()),
        f"info says {info.size:,} samples, and load gives {sizes}.",
        "make them agree.",
    )
    together = not info.paired or len(set(sizes.values())) == 1
    require(together, f"its keys have unequal numbers of samples: {sizes}.", "one of each for every sample.")


def same_every_time(subject: Subject) -> None:
    """Loaded again it is the same, with the same checksum, by which a resume knows it; and nothing is drawn for it."""
    one, other = subject.build(), subject.build()
    start_stream(SEED)
    before = streams()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as another:
        first, second = load(one, Path(folder)), load(other, Path(another))
    remedy = "a torch.Generator with a seed of its own for whatever is random."
    require(streams() == before, "loading it draws from, or seeds, a global random stream.", remedy)
    for key, tensor in first.tensors.items():
        require(torch.equal(tensor, second.tensors[key]), f"loaded twice, its {key} differ.", remedy)
    require(first.checksum == second.checksum, "loaded twice, its checksums differ.", "a digest of the samples alone.")
    kind = first.checksum.partition(":")[0]
    require(kind in ("sha256", "md5"), f"its checksum is {first.checksum!r}.", 'write "sha256:...".')


def streams_what_it_loads(subject: Subject) -> None:
    """Where it offers `stream`, that gives what `load` does: as many of each key, the same examples in any order."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        dataset: Dataset = subject.build()
        for split in SPLITS:
            with offline():
                source = dataset.stream(root, split)
            if source is None:
                return  # it is read as a whole
            examples = load(dataset, root, split)
            for key, size in source.sizes.items():
                remedy = "fetch(key, rows) is what Examples.tensors[key][rows] would be."
                held = examples.tensors[key]
                require(size == len(held), f"{split} streams {size} of {key}, and load gives {len(held)}.", remedy)
                rows = [size - 1, 0, size // 2, 0]
                require(torch.equal(source.fetch(key, rows), held[rows]), f"{split} {key} of {rows} differ.", remedy)
            missing = set(dataset.info(root).gives) - set(source.sizes)
            require(not missing, f"{split} does not stream {missing}, which info.gives names.", "stream every key.")
            known = bool(source.checksum) and source.checksum == examples.listing
            remedy = "give Examples the source's checksum as `listing`: a run is then known by it either way."
            require(known, f"{split}: the source's checksum is not the listing that load gives.", remedy)
