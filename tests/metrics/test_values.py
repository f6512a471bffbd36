"""The numbers themselves: against torch-fidelity's own interface, second implementations, and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_fidelity
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

import ganzoo
from ganzoo.core.data import DatasetInfo, Field
from ganzoo.datasets.gaussians import Gaussians
from ganzoo.datasets.glyph_rendering import render_digits
from ganzoo.metrics.fidelity import FID, KID, InceptionScore, PrecisionRecall
from ganzoo.metrics.gaussian_modes import GaussianModes
from ganzoo.metrics.interface import Metric, Samples, unsupported_kind
from ganzoo.metrics.neighbours import DensityCoverage

FILTERS = torch.randn(16, 1, 5, 5, generator=torch.Generator().manual_seed(0))


def seen(images: Tensor) -> tuple[Tensor, Tensor]:
    """How much of 16 random patterns there is in images (n, 1, 28, 28) uint8, and 5 logits of it."""
    features = conv2d(images.float() / 255, FILTERS).relu().mean((2, 3))
    return features, features @ torch.linspace(-9, 9, 80).sin().view(16, 5) * 9


def samples(images: Tensor) -> Samples:
    return Samples(images, *seen(images))


def of_features(features: Tensor) -> Samples:
    return Samples(features, features, torch.empty(len(features), 0))


class Seen(FeatureExtractorBase):
    """The same, as torch-fidelity wants it."""

    def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "features", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "features"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        both = dict(zip(("features", "logits"), seen(images), strict=True))
        return tuple(both[name] for name in self.features_list)


class Listed(torch.utils.data.Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> Tensor:
        return self.images[number]


@pytest.fixture(scope="module")
def glyphs() -> Tensor:
    return render_digits(600, 28, 1)[0]


def test_scores_are_those_of_torch_fidelitys_own_interface(glyphs: Tensor) -> None:
    real, fake = glyphs[:300], (glyphs[300:].float() * 0.9).to(torch.uint8)
    torch_fidelity.register_feature_extractor("seen", Seen)
    theirs = torch_fidelity.calculate_metrics(
        input1=Listed(fake),
        input2=Listed(real),
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="seen",
        kid_subset_size=100,
        rng_seed=2020,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    ours: dict[str, float] = {}
    for metric in (InceptionScore(), FID(), KID(subset_size=100), PrecisionRecall()):
        ours |= metric(samples(real), samples(fake), seed=2020)
    # Theirs takes the means of features in float32, ours in float64: six digits agree.
    assert ours["fid"] == pytest.approx(theirs[torch_fidelity.KEY_METRIC_FID], rel=1e-4)
    assert ours["kid"] == pytest.approx(theirs[torch_fidelity.KEY_METRIC_KID_MEAN], rel=1e-6)
    assert ours["inception_score"] == pytest.approx(theirs[torch_fidelity.KEY_METRIC_ISC_MEAN], rel=1e-6)
    assert ours["precision"] == pytest.approx(theirs[torch_fidelity.KEY_METRIC_PRECISION])
    assert ours["recall"] == pytest.approx(theirs[torch_fidelity.KEY_METRIC_RECALL])
    assert 0 < ours["precision"] < 1


def test_fid_of_gaussians_is_its_closed_form() -> None:
    """Per dimension FID is delta^2 + (s1 - s2)^2. By the delta method, the estimate from n samples of each has variance
    4 delta^2 (s1^2 + s2^2) / n + 4 (s1 - s2)^2 (s1^2 + s2^2) / (2 n); and a bias of the order of trace / n times d.
    """
    n, d = 20_000, 4
    stream = torch.Generator().manual_seed(0)
    delta, s1, s2 = torch.tensor([0.0, 1, 2, 3]), torch.tensor([1.0, 2, 1, 0.5]), torch.tensor([1.0, 1, 3, 0.5])
    real, fake = torch.randn(n, d, generator=stream) * s1, torch.randn(n, d, generator=stream) * s2 + delta
    expected = (delta**2 + (s1 - s2) ** 2).sum().item()
    spread = s1**2 + s2**2
    deviation = (4 * delta**2 * spread / n + 2 * (s1 - s2) ** 2 * spread / n).sum().sqrt().item()
    bias = d * spread.sum().item() / n
    found = FID()(of_features(real), of_features(fake), seed=0)["fid"]
    assert abs(found - expected) < 5 * deviation + bias
    assert 5 * deviation + bias < 0.04 * expected  # the bound says something


def test_fid_of_rotated_gaussians_is_its_closed_form() -> None:
    """A rotation of both changes nothing, so that the square root of the product of covariances is really taken."""
    stream = torch.Generator().manual_seed(1)
    real, fake = torch.randn(2000, 3, generator=stream), torch.randn(2000, 3, generator=stream) * 2 + 1
    turn = torch.linalg.qr(torch.randn(3, 3, generator=stream))[0]
    straight = FID()(of_features(real), of_features(fake), seed=0)["fid"]
    turned = FID()(of_features(real @ turn), of_features(fake @ turn), seed=0)["fid"]
    assert turned == pytest.approx(straight, rel=1e-4)  # features are float32


def test_a_set_against_itself_has_no_distance(glyphs: Tensor) -> None:
    same = samples(glyphs)
    assert FID()(same, same, seed=0)["fid"] == pytest.approx(0, abs=1e-6)
    found = PrecisionRecall()(same, same, seed=0) | DensityCoverage()(same, same, seed=0)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)


def test_kid_of_the_same_distribution_is_zero_within_its_spread() -> None:
    stream = torch.Generator().manual_seed(0)
    one, other, shifted = (torch.randn(2000, 8, generator=stream) + shift for shift in (0, 0, 0.5))
    metric = KID(subsets=20, subset_size=500)
    values = [metric(of_features(one), of_features(side), seed=0)["kid"] for side in (other, shifted)]
    assert abs(values[0]) < 0.05 * values[1]


def test_the_inception_score_of_sure_and_even_answers_is_the_number_of_classes() -> None:
    even = torch.eye(5).repeat(200, 1) * 100
    none = torch.empty(1000, 0)
    metric = InceptionScore(splits=1)
    sure = Samples(none, none, even)
    unsure, single = Samples(none, none, even * 0), Samples(none, none, even[:1].expand(1000, 5))
    assert metric(sure, sure, seed=0)["inception_score"] == pytest.approx(5)
    assert metric(sure, unsure, seed=0)["inception_score"] == pytest.approx(1)
    assert metric(sure, single, seed=0)["inception_score"] == pytest.approx(1)


def plainly(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """Precision, recall, density and coverage, one distance at a time, as the two papers define them."""

    def ball(points: list[list[float]], at: int) -> float:
        return sorted(math.dist(points[at], other) for number, other in enumerate(points) if number != at)[k - 1]

    reals, fakes = real.double().tolist(), fake.double().tolist()
    real_balls = [ball(reals, at) for at in range(len(reals))]
    fake_balls = [ball(fakes, at) for at in range(len(fakes))]
    inside = [[math.dist(r, f) < size for f in fakes] for r, size in zip(reals, real_balls, strict=True)]
    among_fakes = [any(math.dist(f, r) < size for f, size in zip(fakes, fake_balls, strict=True)) for r in reals]
    return {
        "precision": sum(any(row[at] for row in inside) for at in range(len(fakes))) / len(fakes),
        "recall": sum(among_fakes) / len(reals),
        "density": sum(map(sum, inside)) / (k * len(fakes)),
        "coverage": sum(map(any, inside)) / len(reals),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbour_metrics_agree_with_a_plain_second_implementation(k: int) -> None:
    stream = torch.Generator().manual_seed(k)
    real, fake = torch.randn(120, 3, generator=stream), torch.randn(90, 3, generator=stream) * 0.7 + 0.4
    expected = plainly(real, fake, k)
    found = {
        **PrecisionRecall(k=k)(of_features(real), of_features(fake), seed=0),
        **DensityCoverage(k=k)(of_features(real), of_features(fake), seed=0),
    }
    assert found == pytest.approx(expected, abs=1e-6)  # precision and recall are means in float32
    assert 0 < found["recall"] < 1
    assert 0 < found["coverage"] < 1


def blurred(images: Tensor, by: int) -> Tensor:
    return avg_pool2d(images.float(), 2 * by + 1, 1, by).to(torch.uint8)


def noisy(images: Tensor, by: int) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)) * 25 * by
    return (images + noise).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize("worsen", [blurred, noisy])
def test_fid_and_kid_rise_with_blur_and_noise(glyphs: Tensor, worsen: Callable[[Tensor, int], Tensor]) -> None:
    real, fake = samples(glyphs[:300]), glyphs[300:]
    for metric, name in ((FID(), "fid"), (KID(subsets=10), "kid")):
        values = [metric(real, samples(worsen(fake, by)), seed=0)[name] for by in (0, 1, 2, 3)]
        assert values == sorted(values), name
        assert values[3] > 2 * values[0]


def test_of_a_true_mixture_the_published_share_is_of_high_quality_and_all_modes_are_captured() -> None:
    dataset = Gaussians(layout="grid", std=0.05, size=100_000)
    metric = fitting(dataset)
    points = dataset.load(None, "train").tensors["real"]  # type: ignore[arg-type]  # it reads no folder
    found = modes(metric, points)
    share = 1 - math.exp(-4.5)  # of a Gaussian in the plane, within three standard deviations
    assert found["modes"] == 25
    assert abs(found["high_quality"] - share) < 5 * math.sqrt(share * (1 - share) / len(points))


def test_modes_count_only_with_a_good_sample_and_bad_samples_lower_the_share() -> None:
    dataset = Gaussians(layout="ring", std=0.1)
    metric = fitting(dataset)
    centres = dataset.centres
    edge = centres + torch.tensor([0.299, 0.0])
    beyond = centres + torch.tensor([0.301, 0.0])
    assert modes(metric, edge) == {"modes": 8, "high_quality": 1}
    assert modes(metric, beyond) == {"modes": 0, "high_quality": 0}
    assert modes(metric, torch.cat((centres[:2], beyond[2:4]))) == {"modes": 2, "high_quality": 0.5}
    assert modes(metric, centres[:1].expand(50, 2)) == {"modes": 1, "high_quality": 1}


def fitting(dataset: Gaussians) -> Metric:
    metric = GaussianModes()
    assert metric.unsupported_reason(dataset, dataset.info(None)) == ""  # type: ignore[arg-type]  # it reads no folder
    return metric


def modes(metric: Metric, points: Tensor) -> dict[str, float]:
    given = Samples.without_features(points)
    return dict(metric(given, given, seed=0))


def test_too_few_samples_are_refused() -> None:
    few = of_features(torch.randn(3, 2))
    for metric in (PrecisionRecall(k=3), DensityCoverage(k=5), InceptionScore(splits=10)):
        with pytest.raises(ganzoo.MetricError, match="at least"):
            metric(few, few, seed=0)


def test_a_kind_that_is_named_in_full_is_known_by_its_name() -> None:
    def reason(kind: str) -> str:
        return unsupported_kind(("curve",), DatasetInfo(fields={"real": Field((4,), "float32")}, size=1, kind=kind))

    assert reason("curve") == reason("mine:curve") == ""
    assert "these are of the kind mine:curves" in reason("mine:curves")
