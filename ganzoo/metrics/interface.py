"""What a metric and a feature extractor are: each a small class to inherit from, options by its constructor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.core.interfaces import Dataset, DatasetInfo
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

    at_once: ClassVar[int] = 500
    """How many images it is given at once: memory stays flat, however many there are."""

    learned_from: str = ""
    """What it was trained on, where that depends on the data set: part of its name in a protocol."""

    digest: str = ""
    """ "sha256:..." of the weights, once prepared: scores of another digest are scores of another protocol."""

    def __init__(self) -> None:
        super().__init__()  # without options, unless a subclass names some

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Gets ready for that data set: downloads, trains, or does nothing. root: the folder of all data sets.

        Must leave the process's random streams as they were. Raises: MetricError where it cannot be had here.
        """

    def facts(self) -> Mapping[str, str | float]:
        """What else a score should say of it, JSON-able: {"accuracy": 0.992}."""
        return {}

    @abstractmethod
    def forward(self, images: Tensor) -> Features:
        """images (n, C, H, W) uint8, as they would be saved -> their features. Never a mean over the batch."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A set of samples as a metric is given it.

    raw: images (n, C, H, W) uint8, generated ones rounded as if they were saved, or points (n, d) float32;
    features (n, d) and logits (n, classes), float32, on the CPU: the extractor's. What the metric does not need is
    empty, (n, 0).
    """

    raw: Tensor
    features: Tensor
    logits: Tensor

    @classmethod
    def without_features(cls, raw: Tensor) -> Samples:
        """Samples that no extractor looked at."""
        return cls(raw, torch.empty(len(raw), 0), torch.empty(len(raw), 0))

    def __len__(self) -> int:
        """How many."""
        return len(self.raw)


class Metric(ABC):
    """A number, or several that belong together, of generated samples against real ones. Stands on the shelf "metric".

    Its constructor takes options only.
    """

    gives: ClassVar[Mapping[str, Better]]
    """The name of each number, as rows and tables have it, and which way is better: {"fid": "down"}."""

    needs: ClassVar[Needs] = "features"
    """What it reads of `Samples`: the raw ones alone, features, or logits; "labels" are logits over the data set's own
    classes."""

    n: ClassVar[int | None] = None
    """How many generated samples the published protocol asks for; None where it is the user's choice."""

    def misfit(self, dataset: Dataset, info: DatasetInfo) -> str:
        """Why it says nothing about such data, as a sentence; empty where it does.

        Called once, before any score: what the metric has to know of the data set, it keeps here.
        """
        return "" if info.kind == "images" else "it compares images, and these are points."

    def options(self) -> Mapping[str, Any]:
        """What of its constructor's options is part of the protocol, JSON-able: all public attributes."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @abstractmethod
    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """The numbers that `gives` names. seed: of whatever is drawn inside; the process's random streams stay as they
        are. Raises: MetricError where there are too few samples."""
