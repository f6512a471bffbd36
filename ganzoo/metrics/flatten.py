"""A sample's own numbers as features: what metrics can compare where no network was trained for such samples."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor

from ganzoo.core.data import Dataset
from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Extractor, Features
from ganzoo.recipe.field_kinds import FieldKinds

MOST = 2048
"""Numbers up to which a sample is compared by all of them: as many as Inception has features."""


class Flatten(Extractor):
    """The numbers of a sample, as networks see it, side by side: no network, nothing learned, for samples of any kind.

    Of samples of more than 2,048 numbers it takes what their kind makes of them where near copies are searched for:
    each channel of an image averaged over 16 x 16 cells. FID of more numbers than Inception has would take hours.
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
        kind = self.field_kinds.sample
        unit = kind.to_unit(samples)
        return Features((kind.coarse(unit) if unit[0].numel() > MOST else unit.flatten(1)).float())
