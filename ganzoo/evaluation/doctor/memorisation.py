"""Memorisation: are the generated samples copies of training samples?"""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.evaluation.doctor.distances import nearest
from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.samples import FEWEST, SampleSets

MAX_COPIED_SHARE = 0.4
"""Of the samples that chance would put nearer to a test sample, this share is nearer to a training sample
instead.
Healthy runs measured -0.15 to 0.16; one of 1,600 epochs over fifty images 0.66."""

MIN_DISTANCE_RATIO = 0.75
"""The median distance from a sample to the nearest training sample, against that from a test sample to it. Healthy runs
measured 0.92 to 1.6, the one of fifty images 0.36."""


def memorisation(history: TrainingHistory, sampled: SampleSets) -> Outcome:
    """Checks whether generated samples are nearer to training samples than test samples are (test of arXiv:2004.05675).

    Typical samples have near neighbours in the training set, copied or not. Therefore it also checks how often a
    sample's nearest neighbour among all real ones is a training sample.
    """
    fake, train, test = sampled.coarse_fake, sampled.train, sampled.test
    if len(test) < FEWEST:
        return NotExamined("memorisation", f"the test split has {len(test)} samples, and {FEWEST} at least are needed")
    to_train, to_test = nearest(fake, train), nearest(fake, test)
    by_chance = len(train) / (len(train) + len(test))
    nearer = float((to_train < to_test).double().mean())
    copied = (nearer - by_chance) / (1 - by_chance)
    closer = float(to_train.median()) / max(from_test(sampled), 1e-12)
    if copied <= MAX_COPIED_SHARE or closer >= MIN_DISTANCE_RATIO:
        return None
    return Finding(
        name="memorisation",
        severity="warning",
        seen=f"at step {sampled.step:,} a generated sample is {closer:.2f} times as far from the nearest of "
        f"{len(train):,} training samples as a test sample is, and {nearer:.0%} of generated samples are nearer to a "
        f"training sample than to any test sample ({by_chance:.0%} by chance)",
        figures={"closer": closer, "copied": copied, "by_chance": by_chance},
        means="The generator gives back what it was shown: good scores of such samples say nothing.",
        change=changes(history),
        paper="arXiv:2004.05675",
        steps=(sampled.step, sampled.step),
    )


def from_test(sampled: SampleSets) -> float:
    """The median distance from a test sample to the nearest training sample."""
    chosen: Tensor = sampled.test[torch.randperm(len(sampled.test), generator=torch.Generator().manual_seed(0))[:1000]]
    return float(nearest(chosen, sampled.train).median())


def changes(history: TrainingHistory) -> tuple[str, ...]:
    """Remedies: less training, and a regularized discriminator."""
    train = history.recipe.train
    budget = ("epochs", train.epochs) if train.epochs else ("steps", train.steps or history.total_steps)
    lines = [f"train.{budget[0]} = {max(1, budget[1] // 2)}"]
    if not history.recipe.regularizers:
        lines.append('regularizer = [{ name = "r1", weight = 10.0 }]')
    return tuple(lines)
