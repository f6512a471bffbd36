"""Fixtures that several rooms share."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: GANZOO_DATA, or shared/data beside the checkout; the test is skipped elsewhere."""
    for candidate in (os.environ.get("GANZOO_DATA"), REPOSITORY.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "MNIST" / "raw").is_dir():
            return Path(candidate)
    pytest.skip("no real data here: set GANZOO_DATA to a folder with MNIST/raw")


@pytest.fixture
def recipes() -> Path:
    """The folder of the recipes that ganzoo ships."""
    return REPOSITORY / "recipes"


FEW_GLYPHS = """
import torch
from ganzoo import Component, Dataset, DatasetInfo, Examples, Extractor, Features, Metric, hookimpl
from ganzoo.datasets.glyph_rendering import draw
from ganzoo.datasets.glyphs import digest_of


@hookimpl
def ganzoo_components():
    return [
        Component("dataset", "few-glyphs", "third_few:FewGlyphs"),
        Component("extractor", "pixels", "third_few:Pixels"),
        Component("extractor", "stand-in", "third_few:StandIn"),
        Component("metric", "brightness", "third_few:Brightness"),
    ]


class FewGlyphs(Dataset):
    def info(self, root):
        digits = tuple("0123456789")
        return DatasetInfo(
            sample_shape=(1, 28, 28), size=300, classes=digits, gives=("image", "label"), extractor="stand-in"
        )

    def load(self, root, split="train"):
        images, labels = draw(300 if split == "train" else 200, 28, 1 if split == "train" else 2)
        tensors = {"image": images, "label": labels}
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="a test")


class Pixels(Extractor):
    digest = "sha256:no weights"

    def forward(self, images):
        return Features(torch.nn.functional.avg_pool2d(images.float() / 255, 7).mean(1).flatten(1))


class StandIn(Pixels):
    classifies = "other"

    def forward(self, images):
        seen = super().forward(images).features
        return Features(seen, seen @ torch.linspace(-9, 9, 16 * 5, device=seen.device).sin().view(16, 5) * 9)


class Brightness(Metric):
    gives = {"brightness": "up"}
    needs = "samples"

    def __init__(self, *, scale: float = 1.0):
        self.scale = scale

    def __call__(self, real, fake, *, seed):
        return {"brightness": self.scale * fake.raw.double().mean().item()}
"""


@pytest.fixture(scope="module")
def few_glyphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A plugin with 300 + 200 glyphs, two feature extractors without weights, and a metric."""
    from ganzoo.plugins import zoo

    site = tmp_path_factory.mktemp("site")
    (site / "third_few.py").write_text(FEW_GLYPHS)
    info = site / "third_few-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-few\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_few = third_few\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        importlib.invalidate_caches()
        zoo.cache_clear()
        yield
    zoo.cache_clear()
    sys.modules.pop("third_few", None)


@pytest.fixture(scope="module")
def glyph_run(few_glyphs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 steps on the few glyphs, with averaged weights."""
    import ganzoo

    folder = tmp_path_factory.mktemp("glyphs")
    (folder / "few.toml").write_text(
        """
        extends = "vanilla_mnist"
        [generator]
        latent_dim = 8
        hidden = [16]
        [discriminator]
        hidden = [16]
        [dataset]
        name = "few-glyphs"
        [ema]
        every = 1
        [train]
        steps = 20
        sample_every = 0
        """
    )
    return ganzoo.train(folder / "few.toml", out=folder / "run", device="cpu", quiet=True).directory
