"""Data with few held-out samples, or none, and samples that are alike or broken: each is said, and none is guessed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.errors import MetricError
from ganzoo.evaluation.doctor.diagnosis import examine, sample_outcomes
from ganzoo.evaluation.doctor.finding import Finding, NotExamined
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.metrics.gaussian_modes import GaussianModes
from ganzoo.metrics.interface import Samples

Install = Callable[[str, str], None]
MakeSampled = Callable[..., SampleSets]

PLUGIN = '''
import torch
from ganzoo import Component, Dataset, DatasetInfo, Examples, Field, hookimpl


@hookimpl
def ganzoo_components():
    return [Component("dataset", "scarce", "scarce_data:Scarce")]


class Scarce(Dataset):
    """Images or points, with a label, of which few or none are held out."""

    def __init__(self, *, held_out: int = 0, size: int = 400, images: bool = False, equal: bool = False) -> None:
        self.held_out, self.size, self.images, self.equal = held_out, size, images, equal

    def info(self, root):
        field = Field((1, 8, 8), "uint8") if self.images else Field((2,), "float32")
        kind = "image" if self.images else "point"
        return DatasetInfo(fields={"real": field, "label": Field.label("ab")}, size=self.size, kind=kind)

    def load(self, root, split="train"):
        n = self.size if split == "train" else self.held_out
        draw = torch.Generator().manual_seed(len(split))
        shape = (n, 1, 8, 8) if self.images else (n, 2)
        real = torch.rand(shape, generator=draw)
        real = torch.zeros(shape) if self.equal else real
        real = (255 * real).to(torch.uint8) if self.images else real
        tensors = {"real": real, "label": torch.arange(n) % 2}
        return Examples(tensors=tensors, checksum=f"sha256:{split}{n}", origin="a test")
'''

RECIPE = """
[dataset]
name = "scarce"
[ema]
[train]
steps = 10
batch_size = 4
log_every = 5
sample_every = 0
"""


@pytest.fixture
def train(tmp_path: Path, small_recipe: Callable[[Path, str], Path], install_plugin: Install) -> Callable[..., Any]:
    install_plugin("scarce_data", PLUGIN)
    text = small_recipe(tmp_path / "scarce.toml", RECIPE)
    # the size of the recipe that this one extends is that of its own data set
    return lambda *overrides: ganzoo.train(
        text, out=tmp_path / "run", device="cpu", quiet=True, overrides=[f"dataset.{each}" for each in overrides]
    )


@pytest.mark.parametrize("images", ["true", "false"])
@pytest.mark.parametrize("held_out", [0, 1, 2, 19])
def test_with_few_held_out_samples_those_of_the_training_split_are_compared(
    train: Callable[..., ganzoo.Run], held_out: int, images: str
) -> None:
    diagnosis = examine(train(f"held_out={held_out}", f"images={images}"))
    assert any("against real ones of the training split" in line for line in diagnosis.checked)
    few = f"memorisation: the test split has {held_out} samples, and 20 at least are needed."
    assert few in diagnosis.not_examined
    assert "memorisation" not in {finding.name for finding in diagnosis.findings}
    assert "nan" not in json.dumps([finding.to_json() for finding in diagnosis.findings]).lower()


@pytest.mark.parametrize("held_out", [0, 1, 2])
def test_with_few_samples_of_both_splits_nothing_is_said_of_the_samples(
    train: Callable[..., ganzoo.Run], held_out: int
) -> None:
    diagnosis = examine(train(f"held_out={held_out}", "size=6"))
    few = f"samples: the data have 6 training and {held_out} test samples, and fewer than 20 real ones say nothing."
    assert few in diagnosis.not_examined
    assert diagnosis.findings == ()


@pytest.mark.parametrize("images", ["true", "false"])
def test_data_that_are_all_alike_are_no_collapse(train: Callable[..., ganzoo.Run], images: str) -> None:
    diagnosis = examine(train("held_out=30", "equal=true", f"images={images}"))
    assert any(line.startswith("mode collapse: real samples are all alike") for line in diagnosis.not_examined)
    assert diagnosis.findings == ()


@pytest.mark.parametrize("held_out", [0, 1])
def test_evaluating_with_few_real_samples_asks_for_the_other_split(
    train: Callable[..., ganzoo.Run], held_out: int
) -> None:
    run = train(f"held_out={held_out}")
    with pytest.raises(MetricError, match=f"there are {held_out} real ones") as raised:
        ganzoo.evaluate(run, metrics=["kid"], extractor="flatten", n=100, draws=1, device="cpu")
    assert "--split train" in raised.value.remedy
    assert ganzoo.evaluate(run, metrics=["kid"], extractor="flatten", n=100, draws=1, device="cpu", split="train")


class Checkpointed:
    checkpoint = Path("step-00001000")


def features(n: int, seed: int = 0, value: float | None = None) -> Tensor:
    drawn = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))
    return drawn if value is None else torch.full((n, 8), value)


def of(made: Tensor) -> Samples:
    return Samples(made, made, made[:, :4], {"label": torch.arange(len(made)) % 4})


NAMES = ("one", "two", "three", "four")


@pytest.mark.parametrize("side", ["fake", "real", "both"])
@pytest.mark.parametrize(
    "made", [*(features(n) for n in (0, 1, 2, 25)), features(400, value=1.0), features(400, value=math.nan)]
)
def test_no_check_raises_and_no_figure_is_nan(course: Any, sampled: MakeSampled, side: str, made: Tensor) -> None:
    other = {name: of(made if side in (name, "both") else features(400, 1)) for name in ("fake", "real")}
    metric = ("gaussian-modes", GaussianModes())
    sets = sampled(raw=None, labels=NAMES, metrics=(metric,), coarse_fake=made, **other)
    outcomes = [one for one in sample_outcomes(course(), Checkpointed(), sets, ()) if one]  # type: ignore[arg-type]
    findings = [one for one in outcomes if isinstance(one, Finding)]
    assert not [value for finding in findings for value in finding.figures.values() if math.isnan(value)]
    if len(made) < 20 or not made.isfinite().all():
        assert findings == []
        assert any(isinstance(one, NotExamined) and one.what == "samples" for one in outcomes)


def test_samples_that_are_no_numbers_are_a_failure_of_their_own(
    train: Callable[..., ganzoo.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train("held_out=30")
    monkeypatch.setattr(
        "ganzoo.core.two_player.TwoPlayer.sample", lambda self, n, conditions=None: torch.full((n, 2), torch.nan)
    )
    found = {finding.name: finding for finding in examine(run).findings}
    assert found["unusable-samples"].severity == "failure"
    assert "mode-collapse" not in found
