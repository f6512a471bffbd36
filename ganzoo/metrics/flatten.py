"""A sample's own numbers as features: what metrics can compare where no network was trained for such samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from ganzoo.core.data import Dataset
from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Extractor, Features
from ganzoo.recipe.field_kinds import FieldKinds


class Flatten(Extractor):
    """The numbers of a sample, as networks see it, side by side: no network, nothing learned, for samples of any kind.

    Distances between them are distances between samples, which say little of what people see or hear: compare scores
    of this extractor with each other only.

    most: features of a sample at most. A sample of more numbers is hashed to that many (Weinberger et al., 2009,
    arXiv:0902.2206): each number is added to, or taken from, one feature that is chosen at random, the same for all
    samples, which keeps their distances in the mean. A metric that fits a Gaussian takes the cube of it in time.
    """

    kinds: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, most: Annotated[int, Interval(ge=1, le=16_384)] = 1024) -> None:
        super().__init__()
        self.most = most
        self.digest = f"most:{most}"
        self.field_kinds: FieldKinds | None = None

    def prepare(self, dataset: Dataset, root: Path) -> None:
        """Learns how the data set's samples are stored."""
        self.field_kinds = FieldKinds(dataset.info(root))

    def forward(self, samples: Tensor) -> Features:
        """samples (n, *shape) as stored -> features (n, d)."""
        if self.field_kinds is None:
            raise MetricError("the extractor flatten was not prepared.")
        return Features(self.hashed(self.field_kinds.sample.to_unit(samples).flatten(1).float()))

    def hashed(self, numbers: Tensor) -> Tensor:
        """numbers (n, d) -> (n, at most `most`)."""
        n, d = numbers.shape
        if d <= self.most:
            return numbers
        stream = torch.Generator().manual_seed(0)
        feature = torch.randint(self.most, (d,), generator=stream).to(numbers.device)
        sign = (torch.randint(2, (d,), generator=stream) * 2.0 - 1.0).to(numbers.device)
        return numbers.new_zeros(n, self.most).index_add(1, feature, numbers * sign)
