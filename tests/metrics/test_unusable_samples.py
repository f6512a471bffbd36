"""Real and generated samples come to a metric by one path, and what is no sample of the data's kind gets no score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.core.data import Field
from ganzoo.errors import GanzooError, MetricError, TrainingFailed
from ganzoo.kinds.image import Image
from ganzoo.kinds.point import Point

Install = Callable[[str, str], None]

PLUGIN = '''
import torch
from PIL import Image
from ganzoo import (
    Component, Dataset, DatasetInfo, Discriminator, Examples, Field, Generator, Kind, Metric, TwoPlayer, hookimpl
)


@hookimpl
def ganzoo_components():
    return [
        Component("kind", "level", "levels:Level"),
        Component("dataset", "levels", "levels:Levels"),
        Component("game", "tampered", "levels:Tampered"),
        Component("metric", "both", "levels:Both"),
    ]


class Level(Kind):
    """Volumes (2, 3, 4, 5) in [-1, 1], stored as int16. clips: whether it says that it clips."""

    bounds = (-1.0, 1.0)
    extractor = ""

    def __init__(self, *, clips: bool = False) -> None:
        self.clips = clips

    def to_unit(self, stored):
        return stored.float() / 1000

    def from_unit(self, samples, field):
        return super().from_unit(samples.clamp(-1, 1) * 1000 if self.clips else samples * 1000, field)

    def picture(self, samples, *, columns=None, real=None):
        return Image.new("L", (4, 4))


class Levels(Dataset):
    """clips: of the kind. wild: whether real samples are out of its bounds."""

    def __init__(self, *, clips: bool = False, wild: bool = False) -> None:
        self.clips, self.wild = clips, wild

    def info(self, root):
        fields = {"real": Field((2, 3, 4, 5), "int16")}
        return DatasetInfo(fields=fields, size=64, kind="level", details={"clips": self.clips})

    def load(self, root, split="train"):
        draw = torch.Generator().manual_seed(len(split))
        real = torch.randint(-1000, 1001, (64, 2, 3, 4, 5), dtype=torch.int16, generator=draw) * (1 + self.wild)
        return Examples(tensors={"real": real}, checksum=f"sha256:{split}", origin="a test")


class Tampered(TwoPlayer):
    """Its samples are other ones than its generator's where it evaluates, in the way that `how` says."""

    def __init__(self, parts, *, how: str = "") -> None:
        super().__init__(parts)
        self.how = how

    def sample(self, n, conditions=None):
        made = super().sample(n, conditions)
        if self.training or made.is_meta:
            return made
        if self.how == "nan":
            made.flatten()[7] = torch.nan
        if self.how == "wide":
            made = made * 0 + 1.5
        if self.how == "hair":
            made = made * 0 + 1.0005  # rounding, as of bfloat16
        return made[:, :1] if self.how == "shape" else made.long() if self.how == "dtype" else made


class Both(Metric):
    """What it is given of each side."""

    gives = {"real_most": "up", "fake_most": "up"}
    kinds = ()
    needs = "samples"

    def __call__(self, real, fake, *, seed):
        assert real.raw.dtype is fake.raw.dtype is torch.int16
        assert real.raw.shape[1:] == fake.raw.shape[1:] == (2, 3, 4, 5)
        return {"real_most": real.raw.max().item(), "fake_most": fake.raw.max().item()}
'''

RECIPE = """
[game]
name = "tampered"
[generator]
output = "tanh"
[dataset]
name = "levels"
[train]
steps = 4
batch_size = 8
log_every = 2
sample_every = 0
"""


@pytest.fixture
def recipe(tmp_path: Path, install_plugin: Install, small_recipe: Callable[[Path, str], Path]) -> Path:
    install_plugin("levels", PLUGIN)
    path = small_recipe(tmp_path / "levels.toml", RECIPE)
    inherited = tmp_path / "points.toml"
    inherited.write_text(inherited.read_text().replace('name = "gaussians"\nsize = 500\n', 'name = "levels"\n'))
    return path


def train(recipe: Path, name: str = "run", **options: object) -> ganzoo.Run:
    return ganzoo.train(recipe, out=recipe.parent / name, device="cpu", quiet=True, **options)  # type: ignore[arg-type]


def scores(run: ganzoo.Run) -> dict[str, float]:
    return {score.name: score.value for score in ganzoo.evaluate(run, metrics=["both"], n=50, device="cpu", save=False)}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("nan", "generated samples: some numbers are not finite"),
        ("wide", "generated samples: numbers from 1.5 to 1.5 are no samples"),
    ],
)
def test_generated_samples_that_are_none_are_an_error_and_no_score(recipe: Path, how: str, said: str) -> None:
    run = train(recipe, game__how=how)
    with pytest.raises(MetricError, match=said):
        ganzoo.evaluate(run, metrics=["both"], n=50, device="cpu")
    assert run.scores == []


@pytest.mark.parametrize(("how", "said"), [("shape", r"\(50, 1, 3, 4, 5\) float32 are no samples"), ("dtype", "int64")])
def test_so_are_those_of_another_shape_or_dtype(recipe: Path, how: str, said: str) -> None:
    """The rehearsal refuses such a game; a plugin that changed since the run was made is not rehearsed."""
    run = train(recipe)
    run.game.how = how  # type: ignore[assignment]
    with pytest.raises(MetricError, match=said):
        scores(run)


def test_bounds_are_kept_by_a_kind_that_clips_and_up_to_rounding(recipe: Path) -> None:
    hair = scores(train(recipe, game__how="hair"))
    assert hair == {"real_most": 1000.0, "fake_most": 1000.0}  # 1000.5 is rounded to even
    wide = scores(train(recipe, "clipped", game__how="wide", dataset__clips=True))
    assert wide == {"real_most": 1000.0, "fake_most": 1000.0}


def test_real_samples_out_of_bounds_are_an_error_as_well(recipe: Path) -> None:
    run = train(recipe, dataset__wild=True)
    with pytest.raises(GanzooError, match="real samples: numbers from -2 to 2 are no samples"):
        scores(run)


def test_a_run_goes_on_without_the_scores_of_unusable_samples_and_warns(recipe: Path) -> None:
    plan = {"every": 2, "metrics": ["both"], "n": 50}
    with pytest.warns(UserWarning, match="no scores at this step: generated samples: numbers from 1.5 to 1.5"):
        run = train(recipe, evaluate=plan, game__how="wide")
    assert run.status == "finished"
    assert [row["step"] for row in run.metrics] == [2, 4]
    assert not any("fake_most" in row for row in run.metrics)
    assert not run.files.best.exists()


def test_a_run_whose_weights_are_no_numbers_says_that_of_its_losses(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of the samples that were to be scored at the same step."""
    monkeypatch.setattr(
        "ganzoo.core.losses.NonSaturating.generator", lambda _, fake, real=None: fake.mean() * float("nan")
    )
    with pytest.raises(TrainingFailed, match=r"step 2: loss/"):
        train(recipe, evaluate={"every": 2, "metrics": ["both"], "n": 50})
    assert json.loads((recipe.parent / "run" / "run.json").read_text())["status"] == "failed"


def test_images_are_clipped_as_a_png_would_and_nan_is_no_black_pixel() -> None:
    field = Field((1, 1, 2), "uint8")
    wide = torch.tensor([-3.0, 3.0]).view(1, 1, 1, 2)
    assert Image().from_unit(Image().checked(wide, field, "", to_be_clipped=True), field).flatten().tolist() == [0, 255]
    with pytest.raises(GanzooError, match="numbers from -3 to 3 are no images"):
        Image().checked(wide, field, "a file")  # which somebody wrote in another scale
    with pytest.raises(GanzooError, match="not finite"):
        Image().checked(wide * torch.nan, field, "", to_be_clipped=True)


@pytest.mark.parametrize(("dtype", "stored"), [("int8", [-128, -2, 0, 2, 127]), ("uint8", [0, 0, 0, 2, 255])])
def test_whole_numbers_are_rounded_and_end_where_their_dtype_does(dtype: str, stored: list[int]) -> None:
    made = torch.tensor([[-1e6, -1.9, 0.4, 1.6, 1e6]])
    assert Point().from_unit(made, Field((5,), dtype)).flatten().tolist() == stored
