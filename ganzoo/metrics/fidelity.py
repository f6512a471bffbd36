"""FID, KID, Inception Score, precision and recall, as torch-fidelity computes them from features."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Interval

from ganzoo.errors import MetricError
from ganzoo.metrics.enough_samples import require_samples
from ganzoo.metrics.interface import Metric, Needs, Samples
from ganzoo.runs.score import Better


def import_torch_fidelity(module: str) -> Any:
    """Imports a module of torch-fidelity. Raises: MetricError, naming the extra, where it is not installed."""
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
        require_samples(2, real=real, fake=fake)
        fidelity = import_torch_fidelity("metric_fid")
        fitted = [fidelity.fid_features_to_statistics(side.features.double()) for side in (fake, real)]
        return {"fid": fidelity.fid_statistics_to_metric(*fitted, False)[fidelity.KEY_METRIC_FID]}


class KID(Metric):
    """Squared maximum mean discrepancy of features under a cubic kernel (Binkowski et al., 2018, arXiv:1801.01401).
    The estimate is unbiased, so that it can be slightly negative.

    subsets: the number of random subsets to average over; subset_size: samples in each (all, where there are fewer).
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"kid": "down"}

    def __init__(self, *, subsets: Annotated[int, Ge(1)] = 100, subset_size: Annotated[int, Ge(2)] = 1000) -> None:
        self.subsets = subsets
        self.subset_size = subset_size

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """The mean over the subsets. Raises: MetricError for fewer than two samples."""
        require_samples(2, real=real, fake=fake)
        fidelity = import_torch_fidelity("metric_kid")
        found = fidelity.kid_features_to_metric(
            fake.features,
            real.features,
            kid_subsets=self.subsets,
            kid_subset_size=min(self.subset_size, len(real), len(fake)),
            rng_seed=numpy_seed(seed),
            verbose=False,
        )
        return {"kid": found[fidelity.KEY_METRIC_KID_MEAN]}


class InceptionScore(Metric):
    """How confident a classifier is of each sample's class, and how varied the classes are (Salimans et al., 2016,
    arXiv:1606.03498): the exponential of the mean KL divergence of p(y|x) from p(y). It does not use real samples.

    splits: the number of parts for which it is computed and averaged.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"inception_score": "up"}
    needs: ClassVar[Needs] = "logits"

    def __init__(self, *, splits: Annotated[int, Interval(ge=1, le=1000)] = 10) -> None:
        self.splits = splits

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """The mean over the splits. Raises: MetricError for fewer samples than splits."""
        require_samples(self.splits, fake=fake)
        fidelity = import_torch_fidelity("metric_isc")
        found = fidelity.isc_features_to_metric(fake.logits, self.splits, True, numpy_seed(seed))
        return {"inception_score": found[fidelity.KEY_METRIC_ISC_MEAN]}


class PrecisionRecall(Metric):
    """Precision: the share of generated samples in the manifold of real ones; recall: the share of real samples in that
    of generated ones. A manifold is the union of balls around its samples, each with the distance to the k-th nearest
    neighbour in feature space as radius (Kynkaanniemi et al., 2019, arXiv:1904.06991).

    k: the neighbour whose distance is a ball's radius.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"precision": "up", "recall": "up"}

    def __init__(self, *, k: Annotated[int, Interval(ge=1, le=100)] = 3) -> None:
        self.k = k

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """Raises: MetricError for fewer than k + 1 samples."""
        require_samples(self.k + 1, real=real, fake=fake)
        fidelity = import_torch_fidelity("metric_prc")
        found = fidelity.prc_features_to_metric(
            fake.features,
            real.features,
            prc_neighborhood=self.k,
            prc_batch_size=1000,
            save_cpu_ram=True,
            verbose=False,
        )
        return {"precision": found[fidelity.KEY_METRIC_PRECISION], "recall": found[fidelity.KEY_METRIC_RECALL]}


def numpy_seed(seed: int) -> int:
    """The seed reduced to below 2**32, for the legacy NumPy generator that torch-fidelity uses."""
    return seed % 2**32
