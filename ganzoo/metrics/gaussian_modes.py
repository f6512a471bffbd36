"""Modes captured of a mixture of Gaussians, and the share of high-quality samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt, Interval
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo
from ganzoo.metrics.enough_samples import require_samples
from ganzoo.metrics.interface import Metric, Needs, Samples
from ganzoo.runs.score import Better


class GaussianModes(Metric):
    """Modes captured, and the share of high-quality samples, as in VEEGAN (Srivastava et al., 2017, arXiv:1705.07761):
    a sample is of high quality if it is within three standard deviations of the nearest mode's mean, and a mode is
    captured if it is the nearest to at least one such sample. The paper draws 2,500 samples.

    For data sets with public `centres` (modes, d) and `std`. For the true mixture in the plane, a share of
    1 - exp(-9/2) = 98.9% of samples is of high quality.
    deviations: the number of standard deviations within which a sample is of high quality.
    """

    gives: ClassVar[Mapping[str, Better]] = {"modes": "up", "high_quality": "up"}
    needs: ClassVar[Needs] = "samples"
    n: ClassVar[int | None] = 2500
    floors: ClassVar[Mapping[str, float]] = {"modes": 0.8, "high_quality": 0.3}

    def __init__(self, *, deviations: Annotated[float, Gt(0), Interval(le=100.0)] = 3.0) -> None:
        self.deviations = deviations
        self._centres = torch.empty(0, 0)
        self._std = 0.0

    def unsupported_reason(self, dataset: Dataset, info: DatasetInfo) -> str:
        """Refuses data sets without `centres` and `std`, and stores these."""
        centres, std = getattr(dataset, "centres", None), getattr(dataset, "std", None)
        if not isinstance(centres, Tensor) or not isinstance(std, float):
            return "it counts modes, and the data set names no `centres` and `std`."
        self._centres, self._std = centres, std
        return ""

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """modes: how many are captured; high_quality: a share of the generated samples."""
        require_samples(1, fake=fake)
        nearest = torch.cdist(fake.raw.double(), self._centres.double()).min(dim=1)
        good = nearest.values <= self.deviations * self._std
        captured = nearest.indices[good].unique()
        return {"modes": float(len(captured)), "high_quality": good.double().mean().item()}
