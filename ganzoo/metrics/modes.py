"""Modes captured of stacked digits, and the divergence of their frequencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ganzoo.core.data import Dataset, DatasetInfo
from ganzoo.metrics.enough_samples import require_samples
from ganzoo.metrics.interface import Metric, Needs, Samples
from ganzoo.runs.score import Better


class Modes(Metric):
    """The number of combinations of digits that a classifier finds among 26,000 generated samples, one digit in each
    channel, and the reverse KL divergence of their frequencies from the uniform distribution, in nats: the sum of
    p log(p / q) with q = 1/1000 (as in PacGAN; Lin et al., 2018, arXiv:1712.04086, and the code published with it).

    The divergence is not 0 for real data: sampling noise of 26,000 samples over 1,000 modes contributes about
    999 / 52,000 = 0.019, and digits are not equally frequent. For the data sets stacked-mnist and stacked-glyphs, with
    the extractor digits.
    """

    gives: ClassVar[Mapping[str, Better]] = {"modes": "up", "reverse_kl": "down"}
    needs: ClassVar[Needs] = "labels"
    n: ClassVar[int | None] = 26_000
    floors: ClassVar[Mapping[str, float]] = {"modes": 0.5}  # of 1,000 real samples some 630 are of different modes

    def unsupported_reason(self, dataset: Dataset, info: DatasetInfo) -> str:
        """Refuses data that are not stacked: only stacked data have modes that a classifier can identify."""
        if dataset.unstacked is dataset:
            return "it counts combinations of stacked digits, and in these data nothing is stacked."
        return super().unsupported_reason(dataset, info)

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """modes: how many were found at least once; reverse_kl: in nats."""
        require_samples(1, fake=fake)
        classes = fake.logits.shape[1]
        found = fake.logits.argmax(dim=1).bincount(minlength=classes).double()
        share = found[found > 0] / len(fake)
        return {"modes": float(len(share)), "reverse_kl": (share * (share * classes).log()).sum().item()}
