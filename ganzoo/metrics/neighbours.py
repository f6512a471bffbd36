"""Density and coverage. (The library on PyPI was last released in 2020 and needs scikit-learn; this is shorter.)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from ganzoo.metrics.enough_samples import require_samples
from ganzoo.metrics.interface import Metric, Samples
from ganzoo.runs.score import Better

CHUNK = 1000
"""Rows of the distance matrix that are in memory at once."""


class DensityCoverage(Metric):
    """Density: the mean number of balls around real samples that contain a generated one, divided by k; about 1 for
    perfect samples, and not bounded by 1. Coverage: the share of real samples with a generated one in their ball. A
    ball's radius is the distance to its centre's k-th nearest real neighbour in feature space (Naeem et al., 2020,
    arXiv:2002.09797).

    k: the neighbour whose distance is a ball's radius.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"density": "up", "coverage": "up"}

    def __init__(self, *, k: Annotated[int, Interval(ge=1, le=100)] = 5) -> None:
        self.k = k

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """Raises: MetricError for fewer than k + 1 real samples."""
        require_samples(self.k + 1, real=real)
        require_samples(1, fake=fake)
        hits, covered = 0, 0
        for centres in real.features.double().split(CHUNK):
            radii = distances(centres, real.features).kthvalue(self.k + 1, dim=1).values  # the first is itself
            inside = distances(centres, fake.features) < radii.unsqueeze(1)
            hits += int(inside.sum())
            covered += int(inside.any(dim=1).sum())
        return {"density": hits / (self.k * len(fake)), "coverage": covered / len(real)}


def distances(points: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances (n, m), in float64: torch computes them by matrix products, inaccurate in float32."""
    return torch.cdist(points, others.double())
