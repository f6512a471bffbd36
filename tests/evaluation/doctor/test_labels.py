"""Findings about a conditional game: labels that are ignored, and classes whose samples are all alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganzoo.evaluation.doctor.labels import class_collapse, explained, ignored_label
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.metrics.interface import Samples
from ganzoo.recipe import read_recipe

MakeSampled = Callable[..., SampleSets]
CLASSES = ("one", "two", "three", "four")


def made_for(label: Tensor, seed: int = 0, *, apart: float = 4.0, noise: float = 1.0) -> Samples:
    """Samples whose first four features name their class."""
    draw = torch.Generator().manual_seed(seed)
    features = noise * torch.randn(len(label), 8, generator=draw)
    features[torch.arange(len(label)), label] += apart
    return Samples(features, features, features[:, :4], {"label": label})


def labels(n: int = 400) -> Tensor:
    return torch.arange(n) % 4


def healthy(sampled: MakeSampled) -> SampleSets:
    return sampled(fake=made_for(labels()), real=made_for(labels(), 1), labels=CLASSES)


def test_a_generator_that_does_what_it_is_asked_has_no_finding(course: Any, sampled: MakeSampled) -> None:
    assert ignored_label(course(), healthy(sampled)) is None
    assert class_collapse(course(), healthy(sampled)) is None


def test_a_class_that_is_ignored_is_named(course: Any, sampled: MakeSampled) -> None:
    """What is made for "two" is a "three"."""
    other = torch.where(labels() == 1, 2, labels())
    fake = replace(made_for(other), conditions={"label": labels()})
    finding = ignored_label(course(), replace(healthy(sampled), fake=fake))
    assert finding is not None
    assert finding.name == "ignored-label"
    assert "samples made for two are something else" in finding.seen
    assert finding.figures["ignored_classes"] == 1
    for line in finding.change:
        read_recipe("vanilla_mnist", overrides=[line])


def test_labels_that_are_ignored_are_seen_without_a_classifier_too(course: Any, sampled: MakeSampled) -> None:
    unnamed = replace(healthy(sampled), classes=())
    assert ignored_label(course(), unnamed) is None
    shuffled = labels()[torch.randperm(400, generator=torch.Generator().manual_seed(0))]
    finding = ignored_label(course(), replace(unnamed, fake=replace(unnamed.fake, conditions={"label": shuffled})))
    assert finding is not None
    assert "of the variance of generated samples" in finding.seen


def test_labels_explain_nothing_of_noise_and_all_where_classes_are_points() -> None:
    assert abs(explained(made_for(labels(), apart=0.0))) < 0.02
    assert explained(made_for(labels(), noise=0.0)) == 1.0


def test_a_class_of_which_all_samples_are_alike_is_named(course: Any, sampled: MakeSampled) -> None:
    """The other three, and all together, are as varied as they should be."""
    fake = made_for(labels())
    three = (labels() == 2).unsqueeze(1)
    features = torch.where(three, fake.features[2] + 0.1 * fake.features, fake.features)
    fake = Samples(features, features, features[:, :4], {"label": labels()})
    finding = class_collapse(course(), replace(healthy(sampled), fake=fake))
    assert finding is not None
    assert finding.name == "class-collapse"
    assert "samples of three are all alike" in finding.seen
    for line in finding.change:
        read_recipe("vanilla_mnist", overrides=[line])


def test_games_without_labels_have_no_such_finding(course: Any, sampled: MakeSampled) -> None:
    assert ignored_label(course(), sampled()) is None
    assert class_collapse(course(), sampled()) is None


def test_nothing_is_said_about_classes_with_few_samples(course: Any, sampled: MakeSampled) -> None:
    few = labels(40)
    shuffled = replace(made_for(few), conditions={"label": (few + 1) % 4})
    assert ignored_label(course(), replace(healthy(sampled), fake=shuffled, real=made_for(few, 1))) is None
