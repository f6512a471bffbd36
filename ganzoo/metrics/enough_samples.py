"""What metrics ask of the samples that they are given: that there are enough of them, and that they are numbers."""

from __future__ import annotations

from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Samples

MORE_GENERATED = "Raise n (-n, or evaluate.n in the recipe)."

MORE_REAL = (
    "The data's split has no more: compare with the other split (--split train), or add samples to it. "
    "More generated ones do not help."
)


def require_samples(n: int, *, real: Samples | None = None, fake: Samples | None = None) -> None:
    """Raises: MetricError where a side has fewer than n samples, or holds NaN or infinity: what to do depends on which.

    real, fake: None for a side that the metric does not read.
    """
    for side, whose, remedy in ((fake, "generated", MORE_GENERATED), (real, "real", MORE_REAL)):
        if side is None:
            continue
        if len(side) < n:
            raise MetricError(
                f"this takes at least {n} samples of each kind, and there are {len(side)} {whose} ones.", remedy=remedy
            )
        for name, values in (("samples", side.raw), ("features", side.features), ("logits", side.logits)):
            if values.is_floating_point() and not bool(values.isfinite().all()):
                raise MetricError(
                    f"the {name} of {whose} samples hold NaN or infinity.",
                    remedy="Look at the samples: are they numbers?",
                )
