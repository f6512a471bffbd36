"""Are samples of the class that they were made for?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from ganzoo.core.data import Dataset, DatasetInfo, Examples, Field
from ganzoo.errors import MetricError
from ganzoo.metrics.interface import Samples
from ganzoo.metrics.judge import choice_of, fitted, fitting
from ganzoo.metrics.label_accuracy import LabelAccuracy


class Pictures(Dataset):
    """Described as small labelled pictures, or as pictures alone."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes

    def info(self, root: Path) -> DatasetInfo:
        label = {"label": Field.label(self.classes)} if self.classes else {}
        return DatasetInfo(fields={"real": Field((1, 8, 8), "uint8"), **label}, size=8, extractor="digits")

    def load(self, root: Path, split: Literal["train", "test"] = "train") -> Examples:
        raise NotImplementedError


def named(read: list[int], **conditions: Any) -> Samples:
    """Samples that a classifier names so."""
    logits = torch.eye(3)[torch.tensor(read)]
    return Samples(torch.zeros(len(read), 1), torch.zeros(len(read), 0), logits, conditions)


def test_it_is_the_share_of_samples_that_are_read_as_their_label_and_that_of_the_worst_class() -> None:
    fake = named([0, 0, 0, 0, 1, 1, 2, 0], label=torch.tensor([0, 0, 0, 0, 1, 1, 2, 2]))
    found = LabelAccuracy()(fake, fake, seed=0)
    assert found == {"label_accuracy": 7 / 8, "worst_label_accuracy": 1 / 2}


def test_a_class_of_which_nothing_was_made_is_not_the_worst() -> None:
    fake = named([0, 2], label=torch.tensor([0, 2]))
    assert LabelAccuracy()(fake, fake, seed=0) == {"label_accuracy": 1.0, "worst_label_accuracy": 1.0}


def test_samples_without_labels_are_refused() -> None:
    with pytest.raises(MetricError, match="made for no label"):
        LabelAccuracy()(named([0]), named([0]), seed=0)


def test_it_is_offered_to_games_that_make_samples_for_a_label_only() -> None:
    dataset = Pictures(("a", "b"))
    info = dataset.info(Path())

    def offered(*conditions: str) -> list[str]:
        return [choice.entry.name for choice, _ in fitting(dataset, info, conditions)]

    assert "label-accuracy" in offered("label")
    assert "label-accuracy" not in offered()
    with pytest.raises(MetricError, match="made for no label"):
        fitted(choice_of("metric", "label-accuracy"), dataset, info)


def test_it_says_nothing_about_data_without_classes() -> None:
    dataset = Pictures(())
    with pytest.raises(MetricError, match="have no classes"):
        fitted(choice_of("metric", "label-accuracy"), dataset, dataset.info(Path()), conditions=("label",))
