"""Metrics that are a part of every examination: those that fit the data and declare floors."""

from __future__ import annotations

from collections.abc import Sequence

from ganzoo.core.data import Dataset, DatasetInfo
from ganzoo.evaluation.doctor.finding import NotExamined
from ganzoo.metrics.interface import Extractor, Metric
from ganzoo.metrics.judge import choice_of, lacks, unsupported_reason
from ganzoo.plugins import error_text, zoo
from ganzoo.recipe.parts import build


def examined_metrics(
    dataset: Dataset, info: DatasetInfo, conditions: Sequence[str], extractor: Extractor
) -> tuple[tuple[tuple[str, Metric], ...], tuple[NotExamined, ...]]:
    """Each metric on the shelf that has floors and fits the data, with its name; and those that cannot be asked here.

    conditions: what the samples are made for; extractor: what they are looked at with.
    """
    found: list[tuple[str, Metric]] = []
    missed: list[NotExamined] = []
    for entry in zoo().entries("metric"):
        name = zoo().qualified_name(entry)
        try:
            metric: Metric = build(choice_of("metric", name))
            if not metric.floors or unsupported_reason(metric, dataset, info, conditions):
                continue
            if lacks(extractor, metric):
                missed.append(NotExamined(name, "no classifier of these data is at hand"))
                continue
            found.append((name, metric))
        except Exception as error:  # a plugin's
            missed.append(NotExamined(name, f"{type(error).__name__}: {error_text(error)}"))
    return tuple(found), tuple(missed)
