"""Do samples differ from data? What a discriminator that guesses has to be measured by."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo.evaluation.doctor.distances import energy, spread
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.evaluation.doctor.scores import MetricScore

MAX_ENERGY = 0.2
"""The energy distance of samples from real ones, in units of the mean distance between two real ones, is more than this
where samples differ. Two sets of 1,000 real samples differ by 0.005 or less, gaussians after the full budget by 0.002,
half-trained digits (`vanilla_mnist` at step 7,580 of 93,800) by 0.12."""


def difference(sampled: SampleSets, scores: Sequence[MetricScore]) -> str:
    """How the samples differ from data, in words; empty where they do not."""
    real = sampled.real.features
    distance = energy(sampled.fake.features, real) if spread(real) else 0.0
    said = [f"samples are {distance:.2f} from real ones in energy distance"] if distance > MAX_ENERGY else []
    said += [f"{score.metric} says {score}" for score in scores if score.low]
    return " and ".join(said)
