"""FID, KID, Inception Score, precision and recall, as torch-fidelity computes them from features."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Interval

from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Metric, Needs, Samples
from ganzoo.runs.score import Better


def torch_fidelity(module: str) -> Any:
    """A module of torch-fidelity, imported when it is used. Raises: MetricError that names the extra."""
    try:
        return import_module(f"torch_fidelity.{module}")
    except ImportError as error:
        raise MetricError(
            f"this metric is computed by torch-fidelity, which is not installed ({error}).",
            remedy="Install it: pip install 'ganzoo[evaluate]'",
        ) from error


class FID(Metric):
    """Frechet distance between two Gaussians, fitted to the features of real and of generated samples (Heusel et al.,
    2017, arXiv:1706.08500). Biased upwards by few samples: compare at equal n only.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"fid": "down"}

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """Raises: MetricError for fewer than two samples."""
        at_least(2, real, fake)
        fidelity = torch_fidelity("metric_fid")
        fitted = [fidelity.fid_features_to_statistics(side.features.double()) for side in (fake, real)]
        return {"fid": fidelity.fid_statistics_to_metric(*fitted, False)[fidelity.KEY_METRIC_FID]}


class KID(Metric):
    """Squared maximum mean discrepancy of features under a cubic kernel (Binkowski et al., 2018, arXiv:1801.01401).
    Unbiased, so that it may be a little below zero.

    subsets: how many random subsets the mean is over; subset_size: samples in each (all, where there are fewer).
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"kid": "down"}

    def __init__(self, *, subsets: Annotated[int, Ge(1)] = 100, subset_size: Annotated[int, Ge(2)] = 1000) -> None:
        self.subsets = subsets
        self.subset_size = subset_size

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """The mean over the subsets. Raises: MetricError for fewer than two samples."""
        at_least(2, real, fake)
        fidelity = torch_fidelity("metric_kid")
        found = fidelity.kid_features_to_metric(
            fake.features,
            real.features,
            kid_subsets=self.subsets,
            kid_subset_size=min(self.subset_size, len(real), len(fake)),
            rng_seed=stream_of(seed),
            verbose=False,
        )
        return {"kid": found[fidelity.KEY_METRIC_KID_MEAN]}


class InceptionScore(Metric):
    """How sure a classifier is of each sample, and how varied its answers are (Salimans et al., 2016,
    arXiv:1606.03498): the exponential of the mean KL divergence of p(y|x) from p(y). It never looks at real samples.

    splits: parts that it is computed for and averaged over.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"inception_score": "up"}
    needs: ClassVar[Needs] = "logits"

    def __init__(self, *, splits: Annotated[int, Interval(ge=1, le=1000)] = 10) -> None:
        self.splits = splits

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """The mean over the splits. Raises: MetricError for fewer samples than splits."""
        at_least(self.splits, fake)
        fidelity = torch_fidelity("metric_isc")
        found = fidelity.isc_features_to_metric(fake.logits, self.splits, True, stream_of(seed))
        return {"inception_score": found[fidelity.KEY_METRIC_ISC_MEAN]}


class PrecisionRecall(Metric):
    """Precision: the share of generated samples that lie among real ones; recall: the share of real samples that lie
    among generated ones; "among" is inside of some sample's ball to its k-th neighbour in features (Kynkaanniemi et
    al., 2019, arXiv:1904.06991).

    k: the neighbour that a ball reaches to.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"precision": "up", "recall": "up"}

    def __init__(self, *, k: Annotated[int, Interval(ge=1, le=100)] = 3) -> None:
        self.k = k

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """Raises: MetricError for fewer than k + 1 samples."""
        at_least(self.k + 1, real, fake)
        fidelity = torch_fidelity("metric_prc")
        found = fidelity.prc_features_to_metric(
            fake.features,
            real.features,
            prc_neighborhood=self.k,
            prc_batch_size=1000,
            save_cpu_ram=True,
            verbose=False,
        )
        return {"precision": found[fidelity.KEY_METRIC_PRECISION], "recall": found[fidelity.KEY_METRIC_RECALL]}


def at_least(n: int, *sides: Samples) -> None:
    """Raises: MetricError where a side has fewer than n samples."""
    fewest = min(len(side) for side in sides)
    if fewest < n:
        raise MetricError(f"this takes at least {n} samples of each kind, and there are {fewest}.", remedy="Raise n.")


def stream_of(seed: int) -> int:
    """A seed that numpy's old generator, which the library draws from, takes: below 2**32."""
    return seed % 2**32
