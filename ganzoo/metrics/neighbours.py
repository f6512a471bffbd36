"""Density and coverage. The library on the index was last released in 2020 and needs scikit-learn: this is shorter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from ganzoo.metrics.fidelity import at_least
from ganzoo.metrics.interface import Metric, Samples
from ganzoo.runs.score import Better

CHUNK = 1000
"""Rows of the matrix of distances that are held at once."""


class DensityCoverage(Metric):
    """Density: in how many balls of real samples a generated one lies, in the mean and over k; about 1 for perfect
    samples, and it may be more. Coverage: the share of real samples with a generated one in their ball. A ball reaches
    to its centre's k-th real neighbour in features (Naeem et al., 2020, arXiv:2002.09797).

    k: the neighbour that a ball reaches to.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"density": "up", "coverage": "up"}

    def __init__(self, *, k: Annotated[int, Interval(ge=1, le=100)] = 5) -> None:
        self.k = k

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """Raises: MetricError for fewer than k + 1 real samples."""
        at_least(self.k + 1, real)
        at_least(1, fake)
        hits, covered = 0, 0
        for centres in real.features.double().split(CHUNK):
            radii = distances(centres, real.features).kthvalue(self.k + 1, dim=1).values  # the first is itself
            inside = distances(centres, fake.features) < radii.unsqueeze(1)
            hits += int(inside.sum())
            covered += int(inside.any(dim=1).sum())
        return {"density": hits / (self.k * len(fake)), "coverage": covered / len(real)}


def distances(some: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances (n, m), in float64: torch takes them by products, which cancel in float32."""
    return torch.cdist(some, others.double())
