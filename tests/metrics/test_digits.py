"""The classifier that ganzoo trains itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo import Dataset, DatasetInfo, Examples, Field
from ganzoo.datasets.digest import digest_of
from ganzoo.datasets.gaussians import Gaussians
from ganzoo.datasets.glyph_rendering import render_digits
from ganzoo.datasets.mnist import MNIST
from ganzoo.metrics.digits import Digits
from ganzoo.metrics.fidelity import FID, KID
from ganzoo.metrics.interface import Samples

NOWHERE = Path("nowhere")


class Few(Dataset):
    """Glyphs of one kind or another."""

    def __init__(self, train: int = 1500, size: int = 28, seed: int = 1) -> None:
        self.train, self.size, self.seed = train, size, seed

    def info(self, root: Path) -> DatasetInfo:
        shape, digits = (1, self.size, self.size), tuple("0123456789")
        return DatasetInfo(fields={"real": Field(shape, "uint8"), "label": Field.label(digits)}, size=self.train)

    def load(self, root: Path, split: str = "train") -> Examples:
        n, seed = (self.train, self.seed) if split == "train" else (300, self.seed + 1)
        images, labels = render_digits(n, self.size, seed)
        tensors = {"real": images, "label": labels}
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="a test")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    return tmp_path / "extractors"


def prepared(dataset: Dataset, root: Path = NOWHERE) -> Digits:
    extractor = Digits()
    extractor.prepare(dataset, root)
    return extractor


def test_it_learns_the_same_weights_every_time_and_says_how_good_they_are(cache: Path) -> None:
    stream = torch.get_rng_state()
    first = prepared(Few())
    (kept,) = cache.iterdir()
    kept.unlink()
    torch.manual_seed(5)
    again = prepared(Few())
    assert first.digest == again.digest
    assert first.digest.startswith("sha256:")
    # 1,500 glyphs are 36 steps of training: far from enough, and far from chance.
    assert 0.3 < float(first.facts()["accuracy"]) <= 1
    test = Few().load(NOWHERE, "test").tensors
    logits = first(test["real"]).logits
    assert (logits.argmax(dim=1) == test["label"]).double().mean().item() == pytest.approx(first.accuracy)
    torch.set_rng_state(stream)


def test_it_is_taken_from_the_cache_and_learned_anew_where_that_is_damaged(cache: Path) -> None:
    first = prepared(Few(200))
    (kept,) = cache.iterdir()
    written = kept.stat().st_mtime_ns
    assert prepared(Few(200)).digest == first.digest
    assert kept.stat().st_mtime_ns == written
    kept.write_bytes(kept.read_bytes()[:-1] + b"\0")
    assert prepared(Few(200)).digest == first.digest


def test_other_data_are_another_classifier_with_a_cache_of_its_own(cache: Path) -> None:
    assert prepared(Few(200)).digest != prepared(Few(200, seed=5)).digest
    assert len(list(cache.iterdir())) == 2


def test_learning_leaves_threads_and_random_streams_as_they_were() -> None:
    threads, stream = torch.get_num_threads(), torch.get_rng_state()
    prepared(Few(200))
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), stream)


@pytest.mark.parametrize("size", [28, 32, 64])
def test_images_of_several_sizes_have_128_features_and_a_logit_a_class(size: int) -> None:
    extractor = prepared(Few(128, size))
    seen = extractor(Few(128, size).load(NOWHERE, "test").tensors["real"])
    assert seen.features.shape == (300, 128)
    assert seen.logits is not None
    assert seen.logits.shape == (300, 10)


def test_data_without_labels_and_large_images_are_refused_with_what_to_use() -> None:
    class Unlabelled(Few):
        def info(self, root: Path) -> DatasetInfo:
            return DatasetInfo(fields={"real": Field((1, 28, 28), "uint8")}, size=10)

    for dataset, said in ((Unlabelled(), "labels"), (Few(size=96), "64 x 64")):
        with pytest.raises(ganzoo.MetricError, match=said) as error:
            prepared(dataset)
        assert "inception" in error.value.remedy
    assert Gaussians().unstacked.info(NOWHERE).classes  # points are refused by the metrics, before anything is learned


@pytest.fixture(scope="module")
def mnist(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Digits, Tensor, Tensor, Tensor]:
    """The classifier of all of MNIST, 2,000 images of each split, and the labels of those from the training split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        extractor = prepared(MNIST(), real_data)
    train, test = (MNIST().load(real_data, split).tensors for split in ("train", "test"))  # type: ignore[arg-type]
    return extractor, test["real"][:2000], train["real"][:2000], train["label"][:2000]


@pytest.mark.slow
def test_of_mnists_test_split_it_names_over_99_percent_rightly(mnist: tuple[Digits, Tensor, Tensor, Tensor]) -> None:
    assert mnist[0].accuracy > 0.99


def blur(images: Tensor, labels: Tensor, by: int) -> Tensor:
    return torch.nn.functional.avg_pool2d(images.float(), 2 * by + 1, 1, by).to(torch.uint8)


def noise(images: Tensor, labels: Tensor, by: int) -> Tensor:
    grain = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)) * 20 * by
    return (images + grain).clamp(0, 255).to(torch.uint8)


def drop(images: Tensor, labels: Tensor, by: int) -> Tensor:
    kept = images[labels >= 2 * by]
    return kept[torch.arange(len(images)) % len(kept)]


@pytest.mark.slow
@pytest.mark.parametrize("worsen", [blur, noise, drop])
def test_fid_and_kid_rise_with_blur_noise_and_dropped_classes(
    mnist: tuple[Digits, Tensor, Tensor, Tensor], worsen: object
) -> None:
    extractor, real, fake, labels = mnist
    assert callable(worsen)

    def seen(images: Tensor) -> Samples:
        with torch.no_grad():
            features, logits = extractor(images)
        assert logits is not None
        return Samples(images, features, logits)

    against = seen(real)
    worse = [seen(worsen(fake, labels, by)) for by in range(5 if worsen is drop else 4)]
    for metric, name in ((FID(), "fid"), (KID(subsets=20, subset_size=500), "kid")):
        values = [metric(against, side, seed=0)[name] for side in worse]
        assert values == sorted(values), values
        assert values[1] > 1.5 * values[0], values  # the least harm stands clear of the floor
