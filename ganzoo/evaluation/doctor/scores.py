"""Scores under their floors: what metrics that know the data say of the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import GanzooError
from ganzoo.evaluation.doctor.collapse import changes as remedies_of_collapse
from ganzoo.evaluation.doctor.finding import Finding, NotExamined
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.plugins import error_text


@dataclass(frozen=True, slots=True)
class MetricScore:
    """One number of a metric, of generated samples and of as many real ones; floor: the smallest healthy value."""

    metric: str
    number: str
    value: float
    real: float
    floor: float

    @property
    def low(self) -> bool:
        """Whether it is under its floor."""
        return self.value < self.floor

    def __str__(self) -> str:
        """As text: "modes 1 (real samples 8, healthy ones 6.4 and more)"."""
        return f"{self.number} {self.value:.3g} (real samples {self.real:.3g}, healthy ones {self.floor:.3g} and more)"


def scores_of(sampled: SampleSets) -> tuple[list[MetricScore], list[NotExamined]]:
    """What the metrics say of the generated samples, number by number, and those that said nothing."""
    found: list[MetricScore] = []
    missed: list[NotExamined] = []
    n = compared(sampled)
    real, fake = sampled.real.first(n), sampled.fake.first(n)
    for name, metric in sampled.metrics:
        try:
            with own_randomness(torch.device("cpu")):
                of_fake, of_real = metric(real, fake, seed=0), metric(real, real, seed=0)
            found += [
                MetricScore(name, number, float(of_fake[number]), float(of_real[number]), share * of_real[number])
                for number, share in metric.floors.items()
            ]
        except GanzooError as error:
            missed.append(NotExamined(name, error.what.rstrip(".")))
        except Exception as error:  # a plugin's
            missed.append(NotExamined(name, f"{type(error).__name__}: {error_text(error)}"))
    return found, missed


def compared(sampled: SampleSets) -> int:
    """How many generated samples the metrics are asked about: as many as there are real ones, for modes of more samples
    are more."""
    return min(len(sampled.fake), len(sampled.real))


def low_scores(history: TrainingHistory, sampled: SampleSets, scores: Sequence[MetricScore]) -> list[Finding]:
    """A finding for each metric of which a number is under its floor."""
    found = []
    for name in dict.fromkeys(score.metric for score in scores if score.low):
        low = [score for score in scores if score.metric == name and score.low]
        lines = remedies_of_collapse(history)
        found.append(
            Finding(
                name="low-score",
                severity="warning",
                seen=f"at step {sampled.step:,} the metric {name} says of {compared(sampled):,} samples: "
                f"{', '.join(map(str, low))}",
                figures={score.number: score.value for score in low}
                | {f"{score.number}_of_real": score.real for score in low},
                means="Samples are not what the data are: whatever the losses say, the generator has not learned this.",
                change=(f"train.steps = {2 * history.total_steps}", *lines),
                paper="",
                steps=(sampled.step, sampled.step),
            )
        )
    return found
