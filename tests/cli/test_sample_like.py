"""`ganzoo sample --like FILE`: a condition that comes as a file, of a run whose samples are conditioned on images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo.cli import exit_status

PLUGIN = '''
import torch
from ganzoo import Component, Dataset, DatasetInfo, Discriminator, Examples, Field, Generator, Shape, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("dataset", "hinted", "hinted:Hinted"),
        Component("generator", "hinted", "hinted:Enlarge"),
        Component("discriminator", "hinted", "hinted:Compare"),
    ]


class Hinted(Dataset):
    """Grey images of 8 x 8 with a hint of 4 x 4 each, and a label."""

    def info(self, root):
        fields = {
            "real": Field((1, 8, 8), "uint8"),
            "hint": Field((1, 4, 4), "uint8", "condition", kind="image"),
            "label": Field.label(("dark", "bright")),
        }
        return DatasetInfo(fields=fields, size=40)

    def load(self, root, split="train"):
        hints = torch.arange(40).view(40, 1, 1, 1).expand(40, 1, 4, 4).mul(6).to(torch.uint8)
        images = hints.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        tensors = {"real": images, "hint": hints.contiguous(), "label": (torch.arange(40) >= 20).long()}
        return Examples(tensors=tensors, checksum="sha256:hinted", origin="a test")


class Enlarge(Generator):
    """The hint, enlarged, with a little learned noise."""

    def __init__(self, sample_shape: Shape, hint_shape: Shape, *, latent_dim: int = 2) -> None:
        super().__init__()
        assert (sample_shape, hint_shape) == ((1, 8, 8), (1, 4, 4))
        self.latent_dim = latent_dim
        self.noise = torch.nn.Linear(latent_dim, 64)

    def forward(self, latents, hint, label):
        large = hint.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        return (large + 0.0 * label.view(-1, 1, 1, 1) + 0.01 * self.noise(latents).view(-1, 1, 8, 8)).clamp(-1, 1)


class Compare(Discriminator):
    """A linear score of the image, its hint and its label."""

    def __init__(self, sample_shape: Shape, hint_shape: Shape) -> None:
        super().__init__()
        self.score = torch.nn.Linear(64 + 16 + 1, 1)

    def forward(self, samples, hint, label):
        return self.score(torch.cat((samples.flatten(1), hint.flatten(1), label.view(-1, 1)), dim=1)).squeeze(1)
'''

RECIPE = """
generator = { name = "hinted" }
discriminator = { name = "hinted" }
loss = { name = "hinge" }
dataset = { name = "hinted" }
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 3
batch_size = 8
samples = 4
"""


@pytest.fixture
def run(tmp_path: Path, install_plugin: Callable[[str, str], None]) -> Path:
    install_plugin("hinted", PLUGIN)
    (tmp_path / "hinted.toml").write_text(RECIPE)
    return ganzoo.train(tmp_path / "hinted.toml", out=tmp_path / "run", device="cpu", quiet=True).directory


def test_all_samples_are_made_for_what_the_file_holds(run: Path, tmp_path: Path) -> None:
    Image.new("L", (4, 4), 204).save(tmp_path / "hint.png")
    out = tmp_path / "out.npz"
    assert exit_status(["sample", str(run), "-n", "5", "--like", str(tmp_path / "hint.png"), "-o", str(out)]) == 0
    with np.load(out) as found:
        assert found["hint"].shape == (5, 1, 4, 4)
        assert np.allclose(found["hint"], 204 / 127.5 - 1)
        assert np.allclose(found["samples"], 204 / 127.5 - 1, atol=0.05)
        assert set(found["label"].tolist()) <= {0, 1}  # left open, and drawn from the data


def test_what_no_file_gives_goes_together_as_in_the_data(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    assert exit_status(["sample", str(run), "-n", "30", "--label", "bright", "-o", str(out)]) == 0
    with np.load(out) as found:
        assert (found["label"] == 1).all()
        assert (found["hint"] >= 120 / 127.5 - 1 - 1e-6).all()  # the hints of bright images, and of no dark one


def test_a_file_that_is_no_image_is_an_error(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hint.png").write_text("no image")
    out = tmp_path / "out.png"
    assert exit_status(["sample", str(run), "--like", str(tmp_path / "hint.png"), "-o", str(out)]) == 2
    assert f"{tmp_path / 'hint.png'}: this image cannot be read" in capsys.readouterr().err
    assert not out.exists()
