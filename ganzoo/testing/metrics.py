"""Metrics and feature extractors: do they give what they name, and the same for the same samples?"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal
from unittest import mock

import torch
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.gaussians import Gaussians
from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Extractor, Features, Metric, Samples
from ganzoo.plugins import zoo
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.offline import offline
from ganzoo.testing.streams import streams
from ganzoo.testing.subject import Subject
from ganzoo.testing.synthetic import N_CLASSES

N = 80
"""Samples of each kind: enough for neighbours and for ten splits."""


def metric_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a metric."""
    gives = Check(str(subject), "gives the numbers that it names", gives_what_it_names, lambda: subject, needs=needs)
    yield gives
    yield Check(str(subject), "is the same for the same seed", same_for_a_seed, lambda: subject, needs=[*needs, gives])


def extractor_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a feature extractor."""
    knows = Check(str(subject), "knows its weights", knows_its_weights, lambda: subject, needs=needs)
    yield knows
    alone = Check(str(subject), "looks at each sample by itself", looks_at_each, lambda: subject, needs=[*needs, knows])
    yield alone
    yield Check(
        str(subject), "classifies as it says", classifies_as_it_says, lambda: subject, needs=[*needs, knows, alone]
    )


class SyntheticImages(Dataset):
    """Noise of ten kinds; with channels of 2, two of them stacked."""

    def __init__(self, channels: int = 1) -> None:
        self.channels = channels

    @property
    def unstacked(self) -> Dataset:
        """Of stacked ones, those of one channel."""
        return self if self.channels == 1 else SyntheticImages()

    def info(self, root: Path) -> DatasetInfo:
        """28 x 28, and as many classes as there are combinations."""
        classes = tuple(map(str, range(N_CLASSES**self.channels)))
        fields = {"real": Field((self.channels, 28, 28), "uint8"), "label": Field.label(classes)}
        return DatasetInfo(fields=fields, size=N)

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        """The same every time, another one for the other split."""
        stream = torch.Generator().manual_seed(0 if split == "train" else 1)
        images = torch.randint(256, (N, self.channels, 28, 28), dtype=torch.uint8, generator=stream)
        labels = torch.arange(N) % N_CLASSES**self.channels
        digest = hashlib.sha256(images.numpy().tobytes()).hexdigest()
        return Examples(tensors={"real": images, "label": labels}, checksum=f"sha256:{digest}", origin="the kit")


def gives_what_it_names(subject: Subject) -> None:
    """A metric returns a finite number for each name in `gives`, and no other, and says which way each is better.
    `floors` are shares, above 0 and up to 1, of such of them as are better upwards.
    """
    metric, real, fake = metric_and_samples(subject)
    named = getattr(metric, "gives", {})
    ways = bool(named) and set(named.values()) <= {"up", "down"}
    require(ways, f"its gives is {named!r}.", 'write gives = {"fid": "down"}: names, each with "up" or "down".')
    floors = getattr(metric, "floors", {})
    shares = all(named.get(name) == "up" and 0 < share <= 1 for name, share in floors.items())
    remedy = (
        'write floors = {"coverage": 0.5}: names of gives that are better "up", and shares of what real samples get.'
    )
    require(shares, f"its floors are {floors!r}.", remedy)
    found = metric(real, fake, seed=0)
    require(found.keys() == named.keys(), f"it returns {sorted(found)}, and names {sorted(named)}.", "make them agree.")
    for name, value in found.items():
        right = isinstance(value, int | float) and math.isfinite(value)
        require(right, f"{name} is {value!r}.", "return a finite float: `.item()` of a tensor.")


def same_for_a_seed(subject: Subject) -> None:
    """The same samples and seed give the same numbers, and the global random streams stay as they were."""
    metric, real, fake = metric_and_samples(subject)
    before = streams()
    first, second = metric(real, fake, seed=3), metric(real, fake, seed=3)
    remedy = "a torch.Generator with the seed that it is given for whatever is drawn."
    require(streams() == before, "it draws from, or seeds, a global random stream.", remedy)
    require(first == second, f"asked twice, it says {first} and {second}.", remedy)


def knows_its_weights(subject: Subject) -> None:
    """Prepared, it has the digest of its weights, by which scores are told apart, and nothing was drawn for it."""
    extractor: Extractor = subject.build()
    dataset = dataset_for(subject, extractor)
    before = streams()
    prepare(extractor, dataset)
    remedy = "draw and train inside of torch.random.fork_rng()."
    require(streams() == before, "preparing it draws from, or seeds, a global random stream.", remedy)
    known = isinstance(extractor.digest, str) and bool(extractor.digest)
    require(known, f"its digest is {extractor.digest!r}.", 'set digest = "sha256:..." in prepare.')


def looks_at_each(subject: Subject) -> None:
    """Features are (n, d), finite, and of each sample by itself, whatever comes with it."""
    extractor, dataset = prepared_extractor(subject)
    images = stored_samples(dataset)
    together = extract(extractor, images)
    shape = tuple(together.features.shape)
    require(len(shape) == 2 and shape[0] == 6, f"the features of 6 samples are {shape}.", "(n, d): flatten them.")
    require(
        bool(together.features.isfinite().all()), "its features are not finite.", "look at the scale of what is stored."
    )
    alone = torch.cat([extract(extractor, image).features for image in images.split(1)])
    close = torch.allclose(alone, together.features, rtol=1e-3, atol=1e-3)
    require(close, "the features of a sample depend on the others with it.", "eval mode, and no mean over the batch.")


def classifies_as_it_says(subject: Subject) -> None:
    """Logits are (n, classes) where `classifies` says that there are any; "own" are the data set's own classes."""
    extractor, dataset = prepared_extractor(subject)
    images = stored_samples(dataset)
    logits = extract(extractor, images).logits
    said = f"classifies is {extractor.classifies!r}"
    if not extractor.classifies:
        require(logits is None, f"{said}, and there are logits.", 'set classifies = "other", or "own".')
        return
    if logits is None:
        raise Failure(f"{said}, and there are no logits.", "return Features(features, logits).")
    shape = tuple(logits.shape)
    classes = len(dataset.info(Path()).classes) if extractor.classifies == "own" else shape[-1]
    require(shape == (6, classes), f"{said}, and the logits of 6 samples are {shape}.", "(n, classes).")


def metric_and_samples(subject: Subject) -> tuple[Metric, Samples, Samples]:
    """The metric and two sets of samples that it says something about. Raises: NotChecked where there are none."""
    for dataset in (SyntheticImages(), SyntheticImages(2), Gaussians(size=10 * N), *datasets_of_its_plugin(subject)):
        metric: Metric = subject.build()
        info = dataset.info(Path())
        if not metric.unsupported_reason(dataset, info):
            real, fake = (samples_of(dataset, info, split) for split in splits())
            return metric, real, fake
    raise NotChecked("it says nothing of images, stacked ones, points or its plugin's own data", blocks=True)


def samples_of(dataset: Dataset, info: DatasetInfo, split: Literal["train", "test"]) -> Samples:
    """Samples of a split with random features and logits, and what they were made for."""
    held = dataset.load(Path(), split).tensors
    raw, kinds = held[info.sample_key][:N], FieldKinds(info)
    conditions = {key: kinds.to_unit(key, held[key][:N]) for key in info.conditions}
    return Samples(raw, torch.randn(len(raw), 4), torch.randn(len(raw), len(info.classes)), conditions)


def datasets_of_its_plugin(subject: Subject) -> Iterator[Dataset]:
    """The data sets of a component's plugin that need no files."""
    for entry in zoo().entries("dataset"):
        if entry.plugin == subject.entry.plugin:
            with suppress(Exception), offline():  # what a data set raises, its own checks report
                dataset: Dataset = Subject(entry).build()
                dataset.info(Path())
                dataset.load(Path(), "test")
                yield dataset


def splits() -> tuple[Literal["train"], Literal["test"]]:
    """Both."""
    return "train", "test"


def prepared_extractor(subject: Subject) -> tuple[Extractor, Dataset]:
    """The extractor, ready for a data set, and that. Raises: NotChecked where it cannot be had."""
    extractor: Extractor = subject.build()
    dataset = dataset_for(subject, extractor)
    prepare(extractor, dataset)
    return extractor.eval(), dataset


def dataset_for(subject: Subject, extractor: Extractor) -> Dataset:
    """Data of a kind that the extractor looks at: the kit's images, or its plugin's own. Raises: NotChecked."""
    for dataset in (SyntheticImages(), *datasets_of_its_plugin(subject)):
        if not extractor.kinds or dataset.info(Path()).kind in extractor.kinds:
            return dataset
    raise NotChecked(f"no data set of its plugin has samples of the kind {' or '.join(extractor.kinds)}", blocks=True)


def stored_samples(dataset: Dataset) -> Tensor:
    """Six samples as they are stored."""
    return dataset.load(Path(), "test").tensors[dataset.info(Path()).sample_key][:6]


def prepare(extractor: Extractor, dataset: Dataset) -> None:
    """Gets it ready without a network and without a trace in ganzoo's cache. Raises: NotChecked."""
    with tempfile.TemporaryDirectory() as folder, offline(), mock.patch.dict("os.environ", GANZOO_CACHE=folder):
        try:
            extractor.prepare(dataset, Path(folder))
        except MetricError as error:
            require(error.remedy, f"it says only: {error.what}", "give MetricError a remedy: what can the user do?")
            raise NotChecked("its weights are not here, and nothing is downloaded for a check", blocks=True) from error


@torch.no_grad()
def extract(extractor: Extractor, images: Tensor) -> Features:
    """What it sees. Raises: Failure where that is no Features."""
    found = extractor(images)
    if not isinstance(found, Features):
        raise Failure(f"it returns a {type(found).__name__}.", "return ganzoo.Features(features, logits).")
    return found
