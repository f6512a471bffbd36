"""Each finding of samples where made-up samples show it, and none where they are as good as the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.core.data import DatasetInfo, Field
from ganzoo.evaluation.doctor.averages import lagging_ema
from ganzoo.evaluation.doctor.collapse import mode_collapse
from ganzoo.evaluation.doctor.distances import energy, nearest, nearest_other
from ganzoo.evaluation.doctor.memorisation import memorisation
from ganzoo.evaluation.doctor.samples import CoarseExtractor, SampleSets
from ganzoo.metrics.interface import Samples
from ganzoo.recipe import read_recipe
from ganzoo.recipe.field_kinds import FieldKinds

MakeSampled = Callable[..., SampleSets]


def drawn(n: int = 400, seed: int = 9) -> Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))


def samples_of(features: Tensor, classes: int = 4) -> Samples:
    return Samples(features, features, features[:, :classes])


def test_samples_as_varied_as_the_data_are_no_collapse(course: Any, sampled: MakeSampled) -> None:
    assert mode_collapse(course(), sampled()) is None


def test_one_sample_over_and_over_is_a_collapse(course: Any, sampled: MakeSampled) -> None:
    finding = mode_collapse(course(), sampled(fake=samples_of(drawn(1) + 0.01 * drawn())))
    assert finding is not None
    assert finding.name == "mode-collapse"
    assert finding.figures["spread"] < 0.02
    assert "two samples are 1% as far apart as two real ones" in finding.seen


def test_copies_of_a_few_varied_samples_are_a_collapse_too(course: Any, sampled: MakeSampled) -> None:
    """The mean distance between two samples is as it should be; the distance to the next one is not."""
    finding = mode_collapse(
        course(), sampled(fake=samples_of(drawn(40).repeat(10, 1) + 0.01 * drawn(400, 3)), classes=())
    )
    assert finding is not None
    assert finding.figures["spread"] > 0.9
    assert finding.figures["nearest"] < 0.1


def test_missing_classes_are_named(course: Any, sampled: MakeSampled) -> None:
    fake = drawn()
    logits = fake[:, :4].clone()
    logits[:, 1] -= 100
    finding = mode_collapse(course(), sampled(fake=Samples(fake, fake, logits)))
    assert finding is not None
    assert "missing classes: two" in finding.seen
    assert finding.figures["missing_classes"] == 1


def test_few_latents_are_what_to_change_first(course: Any, sampled: MakeSampled) -> None:
    few = course(overrides=["generator.latent_dim=1", "optimizer.generator.betas=[0.9,0.999]"])
    finding = mode_collapse(few, sampled(fake=samples_of(0.01 * drawn())))
    assert finding is not None
    assert finding.change[:2] == ("generator.latent_dim = 100", "optimizer.generator.betas = [0.5, 0.999]")
    for line in finding.change:
        read_recipe("vanilla_mnist", overrides=[line])


def test_new_samples_of_the_same_distribution_are_not_remembered_ones(course: Any, sampled: MakeSampled) -> None:
    assert memorisation(course(), sampled()) is None


def test_copies_of_training_images_are_memorisation(course: Any, sampled: MakeSampled) -> None:
    train = drawn(400, 5)
    finding = memorisation(course(), sampled(train=train, coarse_fake=train + 0.2 * drawn(400, 6)))
    assert finding is not None
    assert finding.name == "memorisation"
    assert finding.figures["copied"] > 0.9
    assert finding.figures["closer"] < 0.5
    assert "nearer to a training sample than to any test sample (50% by chance)" in finding.seen
    for line in finding.change:
        read_recipe("vanilla_mnist", overrides=[line])


def test_samples_that_are_typical_but_not_copied_are_no_memorisation(course: Any, sampled: MakeSampled) -> None:
    """In the middle of the data everything has near neighbours, in the training set and out of it."""
    assert memorisation(course(), sampled(coarse_fake=0.1 * drawn())) is None


def coarse(field: Field, samples: torch.Tensor, kind: str = "image") -> torch.Tensor:
    return CoarseExtractor(FieldKinds(DatasetInfo(fields={"real": field}, size=1, kind=kind)))(samples).features


def test_coarse_features_are_at_most_sixteen_pixels_a_side() -> None:
    images = torch.arange(2 * 3 * 32 * 32).view(2, 3, 32, 32).remainder(256).to(torch.uint8)
    pixels = coarse(Field((3, 32, 32), "uint8"), images)
    assert pixels.shape == (2, 3 * 16 * 16)
    assert coarse(Field((3, 8, 8), "uint8"), images[:, :, :8, :8]).shape == (2, 3 * 8 * 8)
    assert coarse(Field((8,), "float32"), drawn(5), "point").shape == (5, 8)
    assert 0 <= pixels.min() <= pixels.max() <= 1


def test_distances_are_what_they_are_called() -> None:
    one, other = torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [5.0]])
    # 2 E|x - y| - E|x - x'| - E|y - y'| over E|y - y'|: (2 * 3.5 - 1 - 2) / 2
    assert energy(one, other) == pytest.approx(2.0)
    assert nearest(one, other).tolist() == [3.0, 2.0]
    assert nearest_other(other).tolist() == [2.0, 2.0]
    assert abs(energy(drawn(400, 1), drawn(400, 2))) < 0.02  # the same distribution twice; a shift of 1 gives 0.25


RECIPE = """
[dataset]
size = 5000
[optimizer.generator]
lr = 5e-3
[optimizer.discriminator]
lr = 5e-3
[ema]
[train]
steps = 300
batch_size = 64
log_every = 10
sample_every = 0
checkpoint_every = 150
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, small_recipe: Callable[[Path, str], Path]) -> Path:
    return small_recipe(tmp_path_factory.mktemp("doctor") / "small.toml", RECIPE)


def found(recipe: Path, out: Path, *overrides: str) -> list[ganzoo.Finding]:
    run = ganzoo.train(recipe, out=out, overrides=overrides, device="cpu", quiet=True)
    before = sorted(path.name for path in run.directory.rglob("*"))
    findings = ganzoo.diagnose(run)
    assert sorted(path.name for path in run.directory.rglob("*")) == before  # looking writes nothing
    return findings


def test_a_generator_that_does_not_move_is_named(recipe: Path, tmp_path: Path) -> None:
    findings = found(recipe, tmp_path / "run", "optimizer.generator.lr=1e-9")
    still = findings[0]
    assert (still.name, still.severity) == ("standstill", "failure")
    assert still.seen.startswith("the generator's weights changed by")
    assert still.change == ("optimizer.generator.lr = 0.0002",)
    assert "mode-collapse" not in {finding.name for finding in findings}  # it never was anything else


def test_averages_that_were_never_updated_are_named(recipe: Path, tmp_path: Path) -> None:
    names = {finding.name: finding for finding in found(recipe, tmp_path / "run", "ema.every=1000")}
    assert "after 0 updates (decay 0.999, every 1,000 steps)" in names["ema-lag"].seen
    assert "standstill" not in names


def test_averages_that_follow_are_no_finding(recipe: Path, tmp_path: Path) -> None:
    assert "ema-lag" not in {finding.name for finding in found(recipe, tmp_path / "run")}


def test_averages_far_behind_are_named_though_they_were_updated(course: Any, sampled: MakeSampled) -> None:
    class Checkpointed:
        checkpoint = Path("step-00001000")

    behind = sampled(fake=samples_of(drawn() + 2), raw=samples_of(drawn()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganzoo.evaluation.doctor.averages.read_state", lambda _: {"averaged": {"generator": 250}})
        finding = lagging_ema(course(), Checkpointed(), behind)  # type: ignore[arg-type]
        assert finding is not None
        assert finding.figures["averaged"] > 1.4 * finding.figures["raw"]
        assert lagging_ema(course(), Checkpointed(), sampled()) is None  # type: ignore[arg-type]


def test_what_cannot_be_looked_at_is_left_out(recipe: Path, tmp_path: Path) -> None:
    from ganzoo.evaluation.doctor.diagnosis import examine

    run = ganzoo.train(recipe, out=tmp_path / "run", steps=20, device="cpu", quiet=True)
    diagnosis = examine(run, samples=False)
    assert any(line.startswith("the course of training: 2 rows are too few") for line in diagnosis.not_examined)
    assert any("not asked for" in line for line in diagnosis.not_examined)
    assert diagnosis.findings == ()
