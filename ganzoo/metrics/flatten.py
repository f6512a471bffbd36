"""The values of a sample as features, for metrics on kinds of samples for which no network is trained."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor

from ganzoo.core.data import Dataset
from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Extractor, Features
from ganzoo.recipe.field_kinds import FieldKinds

MAX_NUMBERS = 2048
"""The most values that are all used as features: as many as Inception has features."""


class Flatten(Extractor):
    """The values of a sample in the form that networks see, flattened: no network, for samples of any kind.

    Samples of more than 2,048 values are first reduced by their kind, as in the search for near copies: each channel of
    an image is averaged over 16 x 16 cells. FID with more features than Inception's would take hours. Distances between
    such features say little about perceived similarity: compare scores of this extractor only with each other.
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.digest = "none"
        self.field_kinds: FieldKinds | None = None

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Stores the kind of the data set's samples."""
        self.field_kinds = FieldKinds(dataset.info(root))

    def forward(self, samples: Tensor) -> Features:
        """samples (n, *shape) as stored -> features (n, d)."""
        if self.field_kinds is None:
            raise MetricError("the extractor flatten was not prepared.")
        kind = self.field_kinds.sample
        unit = kind.to_unit(samples)
        return Features((kind.coarse(unit) if unit[0].numel() > MAX_NUMBERS else unit.flatten(1)).float())
