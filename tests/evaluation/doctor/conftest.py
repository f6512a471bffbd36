"""What the doctor's tests share: a course made of rows that somebody wrote down, and samples that somebody made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.evaluation.doctor.scale import scale_of
from ganzoo.metrics.interface import Samples
from ganzoo.recipe import read_recipe
from ganzoo.recipe.parts import build

HEALTHY = {
    "loss/discriminator": 0.36,
    "loss/generator": 1.6,
    "d_real": 0.74,
    "d_fake": 0.27,
    "grad/discriminator": 4.0,
    "grad/generator": 7.0,
}
"""A row as healthy runs of the vanilla and the convolutional recipes have them."""

MakeCourse = Callable[..., TrainingHistory]


@pytest.fixture
def course() -> MakeCourse:
    """Makes a course of so many rows, fifty steps apart; a number may be a list, which is then repeated."""

    def made(
        rows: int = 40, *, recipe: str = "vanilla_mnist", overrides: Sequence[str] = (), **numbers: float | list[float]
    ) -> TrainingHistory:
        def at(value: float | list[float], row: int) -> float:
            return value[row % len(value)] if isinstance(value, list) else value

        named = HEALTHY | {name.replace("__", "/"): value for name, value in numbers.items()}
        written = [
            {"step": 50 * (row + 1), **{name: at(value, row) for name, value in named.items()}} for row in range(rows)
        ]
        decided = read_recipe(recipe, overrides=overrides)
        loss = build(decided.loss) if decided.loss else None
        return TrainingHistory(written, decided, 50 * rows, loss, scale_of(loss) if loss else None)

    return made


def samples_of(features: Tensor, classes: int = 0) -> Samples:
    """Samples with these features; their class is where the largest of the first `classes` of them is."""
    return Samples(features, features, features[:, :classes])


@pytest.fixture
def sampled() -> Callable[..., SampleSets]:
    """What there is to compare where the generator is as good as the data, unless a test says otherwise."""

    def made(**other: object) -> SampleSets:
        draw = torch.Generator().manual_seed(0)
        sets = [torch.randn(400, 8, generator=draw) for _ in range(4)]
        usual = {
            "fake": samples_of(sets[0], 4),
            "raw": samples_of(sets[1], 4),
            "real": samples_of(sets[2], 4),
            "coarse_fake": sets[0],
            "train": sets[3],
            "test": sets[2],
            "extractor": "a test",
            "classes": ("one", "two", "three", "four"),
            "step": 1000,
        }
        return SampleSets(**(usual | other))  # type: ignore[arg-type]

    return made
