"""Whether samples of a conditional game are of the class that they were made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ganzoo.core.data import Dataset, DatasetInfo
from ganzoo.errors import MetricError
from ganzoo.metrics.enough_samples import require_samples
from ganzoo.metrics.interface import Metric, Needs, Samples
from ganzoo.runs.score import Better


class LabelAccuracy(Metric):
    """The share of generated samples that a classifier of the data set names as the class they were made for, and the
    same share in the class where it is smallest. This is the discriminability of Odena et al. (2017, arXiv:1610.09585,
    Section 4.1), by a classifier of these data in the place of Inception.

    It says nothing about variety: one perfect sample of each class is enough. With few samples a class the worst class
    is a matter of chance. For games whose samples are made for a label, with an extractor that knows the data set's
    classes, such as digits.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[Mapping[str, Better]] = {"label_accuracy": "up", "worst_label_accuracy": "up"}
    needs: ClassVar[Needs] = "labels"
    conditions: ClassVar[tuple[str, ...]] = ("label",)
    floors: ClassVar[Mapping[str, float]] = {"label_accuracy": 0.5}

    def unsupported_reason(self, dataset: Dataset, info: DatasetInfo) -> str:
        """Only labels with classes can be read from a sample."""
        if not info.classes:
            return "it reads the class of a sample, and these data have no classes."
        return super().unsupported_reason(dataset, info)

    def __call__(self, real: Samples, fake: Samples, *, seed: int) -> Mapping[str, float]:
        """label_accuracy: of all samples; worst_label_accuracy: of those of one class, the least of all classes.

        Raises: MetricError for samples without labels.
        """
        require_samples(1, fake=fake)
        if (label := fake.conditions.get("label")) is None:
            raise MetricError("these samples were made for no label.", remedy="Choose another --metric.")
        right = (fake.logits.argmax(dim=1) == label).double()
        made = label.bincount()
        of_class = label.bincount(weights=right)[made > 0] / made[made > 0]
        return {"label_accuracy": right.mean().item(), "worst_label_accuracy": of_class.min().item()}
