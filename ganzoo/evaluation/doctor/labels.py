"""Are samples of a conditional game of the class that they were made for, and varied within it?"""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.evaluation.doctor.distances import spread
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.metrics.interface import Samples

FEWEST = 20
"""Samples of a class, below which nothing is said about it."""

IGNORED = 0.5
"""A class is ignored where samples made for it are named so less than this often, against how often real ones are. In
conditional GANs on MNIST the worst class measured 0.78 and more after 1,500 steps, 0.32 to 0.48 after 400."""

SEPARATE = 0.1
"""Or, where no classifier is at hand, labels are ignored where they explain less than this of the variance of generated
features, against what they explain of real ones."""

TELLING = 0.02
"""And explain at least this of the variance of real ones: otherwise the features say nothing about classes."""

VARIED = 0.3
"""A class has collapsed where two of its samples are less than this far apart, against two real ones of the class.
Conditional DCGANs on MNIST that made one image a class measured 0.09 to 0.2, varied ones 0.74 and more."""


def ignored_label(history: TrainingHistory, sampled: SampleSets) -> Finding | None:
    """The generator does not do what the label says."""
    if not sampled.labels or "label" not in sampled.fake.conditions:
        return None
    if sampled.classes and sampled.fake.logits.shape[1]:
        made, real = accuracies(sampled.fake, sampled.labels), accuracies(sampled.real, sampled.labels)
        ignored = [name for name in made if name in real and made[name] < IGNORED * real[name]]
        if not ignored:
            return None
        worst = min(ignored, key=lambda name: made[name])
        seen = f"samples made for {listed(ignored)} are something else: {made[worst]:.0%} of {worst} are named so"
        figures = {"ignored_classes": float(len(ignored)), "worst_accuracy": made[worst]}
    else:
        made_share, real_share = explained(sampled.fake), explained(sampled.real)
        if real_share < TELLING or made_share >= SEPARATE * real_share:
            return None
        seen = (
            f"labels explain {made_share:.1%} of the variance of generated samples, and {real_share:.1%} of real ones"
        )
        figures = {"explained": made_share, "explained_of_real": real_share}
    return Finding(
        name="ignored-label",
        severity="warning",
        seen=f"at step {sampled.step:,}, in {sampled.extractor}: {seen}",
        figures=figures,
        means="The generator does not make what it is asked for: the discriminator hardly looks at the label yet.",
        change=(f"train.steps = {2 * history.total_steps}", history.scaled("discriminator", 0.5)),
        paper="arXiv:1411.1784",
        steps=(sampled.step, sampled.step),
    )


def class_collapse(history: TrainingHistory, sampled: SampleSets) -> Finding | None:
    """Samples of one class are all alike, though those of all classes together may be varied."""
    if not sampled.labels or "label" not in sampled.fake.conditions:
        return None
    made, real = spreads(sampled.fake, sampled.labels), spreads(sampled.real, sampled.labels)
    alike = {name: made[name] / real[name] for name in made if real.get(name) and made[name] < VARIED * real[name]}
    if not alike:
        return None
    worst = min(alike, key=lambda name: alike[name])
    changes = ['regularizer = [{ name = "r1", weight = 1.0 }]'] if not history.recipe.regularizers else []
    return Finding(
        name="class-collapse",
        severity="warning",
        seen=f"at step {sampled.step:,}, in {sampled.extractor}: samples of {listed(list(alike))} are all alike: two "
        f"of {worst} are {alike[worst]:.0%} as far apart as two real ones",
        figures={"collapsed_classes": len(alike), "least_spread": alike[worst]},
        means="The generator has one answer to these labels, whatever the latents.",
        change=(*changes, history.scaled("generator", 0.5)),
        paper="arXiv:1411.1784",
        steps=(sampled.step, sampled.step),
    )


def accuracies(samples: Samples, labels: tuple[str, ...]) -> dict[str, float]:
    """By class, the share of its samples that the classifier names so."""
    right = (samples.logits.argmax(dim=1) == samples.conditions["label"]).float()
    return {name: right[rows].mean().item() for name, rows in rows_of(samples, labels).items()}


def spreads(samples: Samples, labels: tuple[str, ...]) -> dict[str, float]:
    """By class, the mean distance between two of its samples, in features."""
    return {name: spread(samples.features[rows]) for name, rows in rows_of(samples, labels).items()}


def rows_of(samples: Samples, labels: tuple[str, ...]) -> dict[str, Tensor]:
    """By class, the numbers of its samples; classes with too few of them are left out."""
    found = {name: (samples.conditions["label"] == number).nonzero().squeeze(1) for number, name in enumerate(labels)}
    return {name: rows for name, rows in found.items() if len(rows) >= FEWEST}


def explained(samples: Samples) -> float:
    """The share of the features' variance that lies between the classes, less what chance puts there: the adjusted eta
    squared, 0 where labels say nothing."""
    features, label = samples.features.double(), samples.conditions["label"]
    total = (features - features.mean(dim=0)).square().sum()
    classes = label.unique()
    within = torch.stack(
        [(features[label == each] - features[label == each].mean(dim=0)).square().sum() for each in classes]
    ).sum()
    n, k = len(features), len(classes)
    return float(1 - (within / max(n - k, 1)) / (total / (n - 1)).clamp_min(1e-12))


def listed(names: list[str]) -> str:
    """A few of the classes by name."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
