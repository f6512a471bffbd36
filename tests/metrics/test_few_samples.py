"""Every metric with no samples, few, equal ones and broken ones: numbers, or one message that says what to do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganzoo.datasets.gaussians import Gaussians
from ganzoo.errors import MetricError
from ganzoo.metrics.fidelity import FID, KID, InceptionScore, PrecisionRecall
from ganzoo.metrics.gaussian_modes import GaussianModes
from ganzoo.metrics.interface import Metric, Samples
from ganzoo.metrics.label_accuracy import LabelAccuracy
from ganzoo.metrics.modes import Modes
from ganzoo.metrics.neighbours import DensityCoverage

NEEDED: dict[type[Metric], tuple[int, int]] = {
    FID: (2, 2),
    KID: (2, 2),
    InceptionScore: (0, 10),
    PrecisionRecall: (4, 4),
    GaussianModes: (0, 1),
    LabelAccuracy: (0, 1),
    Modes: (0, 1),
    DensityCoverage: (6, 1),
}
"""Metric -> the real and the generated samples that it takes at least."""

METRICS = list(NEEDED)
READS_REAL = [FID, KID, PrecisionRecall, DensityCoverage]


def metric_of(kind: type[Metric]) -> Metric:
    metric = kind()
    if kind is GaussianModes:
        data = Gaussians()
        assert metric.unsupported_reason(data, data.info(Path())) == ""
    return metric


def samples(n: int, seed: int = 0, *, value: float | None = None) -> Samples:
    drawn = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    features: Tensor = drawn if value is None else torch.full((n, 2), value)
    return Samples(features, features, features.repeat(1, 2), {"label": torch.zeros(n, dtype=torch.int64)})


@pytest.mark.parametrize(("kind", "needed"), NEEDED.items())
@pytest.mark.parametrize("n_real", [0, 1, 2, 100])
@pytest.mark.parametrize("n_fake", [0, 1, 2, 100])
def test_few_samples_give_numbers_or_say_of_which_there_are_too_few(
    kind: type[Metric], needed: tuple[int, int], n_real: int, n_fake: int
) -> None:
    metric, real, fake = metric_of(kind), samples(n_real), samples(n_fake, 1)
    if n_real >= needed[0] and n_fake >= needed[1]:
        found = metric(real, fake, seed=0)
        assert found.keys() == metric.gives.keys()
        assert all(math.isfinite(value) for value in found.values())
        return
    with pytest.raises(MetricError, match="at least") as raised:
        metric(real, fake, seed=0)
    what, remedy = raised.value.what, raised.value.remedy
    if "generated" in what:
        assert f"there are {n_fake} generated ones" in what
        assert remedy.startswith("Raise n")
    else:
        assert f"there are {n_real} real ones" in what
        assert "--split train" in remedy


@pytest.mark.parametrize("kind", METRICS)
def test_equal_samples_give_numbers(kind: type[Metric]) -> None:
    metric = metric_of(kind)
    for real, fake in ((samples(50), samples(50, value=1.0)), (samples(50, value=1.0), samples(50, value=1.0))):
        assert all(math.isfinite(value) for value in metric(real, fake, seed=0).values())


@pytest.mark.parametrize("kind", METRICS)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_broken_samples_are_an_error_that_names_their_side(kind: type[Metric], broken: float) -> None:
    metric = metric_of(kind)
    with pytest.raises(MetricError, match="of generated samples hold NaN or infinity"):
        metric(samples(50), samples(50, value=broken), seed=0)
    if kind in READS_REAL:
        with pytest.raises(MetricError, match="of real samples hold NaN or infinity"):
            metric(samples(50, value=broken), samples(50), seed=0)
