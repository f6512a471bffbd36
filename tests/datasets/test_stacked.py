"""Stacked digits: which digit is where, what is counted, and that it is the same every time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import ganzoo
from ganzoo.datasets import glyphs, stacked
from ganzoo.datasets.glyphs import Glyphs
from ganzoo.datasets.stacked import StackedGlyphs, StackedMNIST
from ganzoo.errors import DatasetUnavailable
from ganzoo.metrics.digits import Digits
from ganzoo.metrics.interface import Samples
from ganzoo.metrics.modes import Modes


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own, splits of a few glyphs, and a small test split of stacked ones."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    monkeypatch.setattr(glyphs, "SIZES", {"train": 300, "test": 100})
    monkeypatch.setattr(stacked, "TEST_SIZE", 200)
    return tmp_path


def test_each_channel_is_a_digit_of_the_same_split_and_the_label_says_which(few: Path) -> None:
    for split in ("train", "test"):
        single = Glyphs().load(few, split)  # type: ignore[arg-type]
        made = StackedGlyphs(size=150).load(few, split)  # type: ignore[arg-type]
        images, labels = made.tensors["real"], made.tensors["label"]
        assert images.shape == (150 if split == "train" else 200, 3, 28, 28)
        flat = single.tensors["real"].flatten(1)
        for image, label in zip(images[:40], labels[:40], strict=True):
            for channel, digit in enumerate(f"{int(label):03}"):
                source = int((flat == image[channel].flatten()).all(dim=1).nonzero()[0])
                assert int(single.tensors["label"][source]) == int(digit)


def test_they_are_the_same_every_time_and_others_for_another_seed(few: Path) -> None:
    stream = torch.get_rng_state()
    first = StackedGlyphs(size=50).load(few)
    torch.manual_seed(3)
    again, other = StackedGlyphs(size=50).load(few), StackedGlyphs(size=50, seed=1).load(few)
    assert torch.equal(first.tensors["real"], again.tensors["real"])
    assert first.checksum == again.checksum
    assert other.checksum not in (first.checksum, StackedGlyphs(size=50).load(few, "test").checksum)
    assert not torch.equal(first.tensors["label"], other.tensors["label"])
    torch.set_rng_state(stream)


def test_the_info_is_what_is_loaded_and_the_published_sizes_are_the_defaults(few: Path) -> None:
    info = StackedGlyphs().info(few)
    assert (info.size, info.sample_shape, len(info.classes), info.classes[42]) == (128_000, (3, 28, 28), 1000, "042")
    assert stacked.TEST_SIZE == 200  # here; 26,000 as published, where it is not made small for a test
    assert info.extractor == "digits"


def test_without_mnist_the_remedy_names_the_stacked_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise DatasetUnavailable("no MNIST here.", remedy='give the recipe [dataset] fallback = "glyphs".')

    monkeypatch.setattr("ganzoo.datasets.mnist.download", gone)
    with pytest.raises(DatasetUnavailable, match="no MNIST here") as error:
        StackedMNIST().load(tmp_path)
    assert '"stacked-glyphs"' in error.value.remedy


def test_the_classifier_names_each_channel_by_itself(few: Path) -> None:
    alone, together = Digits(), Digits()
    alone.prepare(Glyphs(), few)
    together.prepare(StackedGlyphs(), few)
    assert alone.digest == together.digest
    images = StackedGlyphs(size=60).load(few).tensors["real"]
    seen = together(images)
    by_channel = [alone(images[:, channel : channel + 1]) for channel in range(3)]
    digits = torch.stack([one.logits.argmax(dim=1) for one in by_channel], dim=1)
    assert torch.equal(seen.logits.argmax(dim=1), digits @ torch.tensor([100, 10, 1]))
    assert torch.allclose(seen.features, torch.cat([one.features for one in by_channel], dim=1), atol=1e-5)
    assert torch.allclose(seen.logits.exp().sum(dim=1), torch.ones(60), atol=1e-4)  # a distribution over 1,000


def of_modes(numbers: torch.Tensor) -> Samples:
    logits = torch.nn.functional.one_hot(numbers, 1000).float()
    return Samples(torch.empty(len(numbers), 0), torch.empty(len(numbers), 0), logits)


def test_modes_and_reverse_kl_are_as_published() -> None:
    """p from the samples, q = 1/1000: one mode is log 1000, half of the modes log 2, all of them evenly 0."""
    metric = Modes()
    assert Modes.n == 26_000
    for numbers, modes, divergence in (
        (torch.full((500,), 123), 1, math.log(1000)),
        (torch.arange(5000) % 500, 500, math.log(2)),
        (torch.arange(5000) % 1000, 1000, 0.0),
        (torch.tensor([0, 0, 0, 1]), 2, 0.75 * math.log(750) + 0.25 * math.log(250)),
    ):
        given = of_modes(numbers)
        found = metric(given, given, seed=0)
        assert found["modes"] == modes
        assert found["reverse_kl"] == pytest.approx(divergence, abs=1e-9)


def test_26000_even_draws_find_every_mode_and_a_divergence_of_sampling_alone() -> None:
    """2 n KL is about chi-squared with 999 degrees of freedom: mean 999 and variance 1,998; five deviations are 224."""
    numbers = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(0))
    found = Modes()(of_modes(numbers), of_modes(numbers), seed=0)
    assert found["modes"] == 1000
    assert abs(2 * 26_000 * found["reverse_kl"] - 999) < 224 + 30  # and a little for the tail of the approximation


def test_data_in_which_nothing_is_stacked_are_refused(few: Path) -> None:
    assert "nothing is stacked" in Modes().unsupported_reason(Glyphs(), Glyphs().info(few))
    assert Modes().unsupported_reason(StackedGlyphs(), StackedGlyphs().info(few)) == ""


def test_a_run_on_stacked_glyphs_is_scored_by_modes(few: Path) -> None:
    recipe = few / "stacked.toml"
    recipe.write_text(
        """
        extends = "vanilla_mnist"
        [generator]
        hidden = [8]
        [discriminator]
        hidden = [8]
        [dataset]
        name = "stacked-glyphs"
        size = 100
        [train]
        steps = 2
        sample_every = 0
        """
    )
    run = ganzoo.train(recipe, out=few / "run", device="cpu", quiet=True)
    made = {score.name: score for score in ganzoo.evaluate(run, metrics=["modes"], n=150, draws=1)}
    assert 1 <= made["modes"].value <= 150
    assert made["modes"].floor is not None
    assert made["modes"].value < made["modes"].floor  # noise looks like a few digits only
    assert made["reverse_kl"].protocol.extractor == "digits (Glyphs)"


@pytest.mark.slow
def test_real_stacked_mnist_has_all_modes(real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    extractor = Digits()
    extractor.prepare(StackedMNIST(), real_data)
    images = StackedMNIST().load(real_data, "test").tensors["real"]
    logits = torch.cat([extractor(part).logits for part in images.split(1000)])
    side = Samples(torch.empty(len(images), 0), torch.empty(len(images), 0), logits)
    found = Modes()(side, side, seed=0)
    assert found["modes"] == 1000
    assert found["reverse_kl"] < 0.05
