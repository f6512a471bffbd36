"""A sample's own numbers as features: what metrics can compare where no network was trained for such samples."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor

from ganzoo.core.data import Dataset
from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Extractor, Features
from ganzoo.recipe.field_kinds import FieldKinds


class Flatten(Extractor):
    """The numbers of a sample, as networks see it, side by side: no network, nothing learned, for samples of any kind.

    Distances between them are distances between samples, which say little of what people see or hear: compare scores
    of this extractor with each other only.
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.digest = "none"
        self.field_kinds: FieldKinds | None = None

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Learns how the data set's samples are stored."""
        self.field_kinds = FieldKinds(dataset.info(root))

    def forward(self, samples: Tensor) -> Features:
        """samples (n, *shape) as stored -> features (n, d)."""
        if self.field_kinds is None:
            raise MetricError("the extractor flatten was not prepared.")
        return Features(self.field_kinds.sample.to_unit(samples).flatten(1).float())
