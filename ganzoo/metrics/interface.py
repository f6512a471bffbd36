"""What a metric and a feature extractor are: each a small class to inherit from, options by its constructor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.core.data import Dataset, DatasetInfo
from ganzoo.runs.score import Better

Needs = Literal["samples", "features", "logits", "labels"]


class Features(NamedTuple):
    """What an extractor makes of n samples: features (n, d) float32 and, where it classifies, logits (n, classes)."""

    features: Tensor
    logits: Tensor | None = None


class Extractor(nn.Module, ABC):
    """Turns samples into the features that metrics compare. Stands on the shelf "extractor".

    Its constructor takes options only; `prepare` gets the weights, on the CPU, whatever device it is used on later.
    """

    classifies: ClassVar[Literal["", "other", "own"]] = ""
    """Whether there are logits, and over what: "own" are the data set's own classes, in the order of its labels."""

    kinds: ClassVar[tuple[str, ...]] = ("image",)
    """The kinds of samples that it looks at, by their names on the shelf; none for samples of any kind."""

    at_once: ClassVar[int] = 500
    """How many samples it is given at once: memory stays flat, however many there are."""

    learned_from: str = ""
    """What it was trained on, where that depends on the data set: part of its name in a protocol."""

    digest: str = ""
    """ "sha256:..." of the weights, once prepared: scores of another digest are scores of another protocol."""

    def __init__(self) -> None:
        super().__init__()  # without options, unless a subclass names some

    def unsupported_reason(self, info: DatasetInfo) -> str:
        """Why it does not support such data, as a sentence; empty where it does. Called before `prepare`."""
        return unsupported_kind(self.kinds, info)

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Gets ready for that data set: downloads, trains, or does nothing. root: the folder of all data sets.

        Must leave the process's random streams as they were. Raises: MetricError where it cannot be had here.
        """

    def facts(self) -> Mapping[str, str | float]:
        """What else a score should say of it, JSON-able: {"accuracy": 0.992}."""
        return {}

    @abstractmethod
    def forward(self, samples: Tensor) -> Features:
        """samples (n, *shape) as the data set stores them (images of 8 bits: uint8) -> their features.

        Never a mean over the batch.
        """


@dataclass(frozen=True, slots=True)
class Samples:
    """A set of samples as a metric is given it.

    raw: (n, *shape) as the data set stores samples, generated ones by the same way (images of 8 bits: uint8, rounded as
    if they were saved); features (n, d) and logits (n, classes), float32, on the CPU: the extractor's, empty, (n, 0),
    where the metric does not need them. conditions: what each was made for, (n, ...) by key, as networks see it.
    """

    raw: Tensor
    features: Tensor
    logits: Tensor
    conditions: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def without_features(cls, raw: Tensor, conditions: Mapping[str, Tensor] | None = None) -> Samples:
        """Samples that no extractor looked at."""
        return cls(raw, torch.empty(len(raw), 0), torch.empty(len(raw), 0), conditions or {})

    def first(self, n: int) -> Samples:
        """The first n of them."""
        conditions = {key: value[:n] for key, value in self.conditions.items()}
        return Samples(self.raw[:n], self.features[:n], self.logits[:n], conditions)

    def __len__(self) -> int:
        """How many."""
        return len(self.raw)


class Metric(ABC):
    """A number, or several that belong together, of generated samples against real ones. Stands on the shelf "metric".

    Its constructor takes options only.
    """

    gives: ClassVar[Mapping[str, Better]]
    """The name of each number, as rows and tables have it, and which way is better: {"fid": "down"}."""

    kinds: ClassVar[tuple[str, ...]] = ("image",)
    """The kinds of samples that it says something about, by their names on the shelf; none for samples of any kind."""

    needs: ClassVar[Needs] = "features"
    """What it reads of `Samples`: the raw ones alone, features, or logits; "labels" are logits over the data set's own
    classes."""

    conditions: ClassVar[tuple[str, ...]] = ()
    """The keys of `Samples.conditions` that it reads: it says nothing of a game whose samples are not made for them."""

    n: ClassVar[int | None] = None
    """How many generated samples the published protocol asks for; None where it is the user's choice."""

    floors: ClassVar[Mapping[str, float]] = {}
    """The numbers that `ganzoo doctor` examines a run by -> the share of what real samples get that a healthy run's
    samples reach. It asks a metric with floors about a thousand samples, so that it must be quick; only numbers that
    are better upwards have floors."""

    def unsupported_reason(self, dataset: Dataset, info: DatasetInfo) -> str:
        """Why it does not support such data, as a sentence; empty where it does.

        Called once, before any score; the metric can store here what it needs to know about the data set.
        """
        return unsupported_kind(self.kinds, info)

    def options(self) -> Mapping[str, Any]:
        """What of its constructor's options is part of the protocol, JSON-able: all public attributes."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @abstractmethod
    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """The numbers that `gives` names. seed: of whatever is drawn inside; the process's random streams stay as they
        are. Raises: MetricError where there are too few samples."""


def unsupported_kind(kinds: tuple[str, ...], info: DatasetInfo) -> str:
    """Why data are of none of these kinds, as a sentence; empty where they are, or where there are no kinds.

    A kind that a data set names in full, "plugin:curve", is also the kind "curve".
    """
    if kinds and not {info.kind, info.kind.rpartition(":")[2]} & set(kinds):
        return f"it is for samples of the kind {' or '.join(kinds)}, and these are of the kind {info.kind}."
    return ""
