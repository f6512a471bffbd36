"""A translator whose output has another size and other channels than its input, from training to files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import RunError

PLUGIN = '''
import torch
from torch import nn
from ganzoo import (
    Component, Dataset, DatasetInfo, Discriminator, Examples, Field, Game, Move, Translator, hookimpl
)


@hookimpl
def ganzoo_components():
    return [
        Component("generator", "doubler", "doubling:Doubler"),
        Component("discriminator", "mean", "doubling:Mean"),
        Component("game", "upscaling", "doubling:Upscaling"),
        Component("dataset", "small-and-large", "doubling:SmallAndLarge"),
    ]


class Doubler(Translator):
    """Grey images -> coloured ones of twice the size."""

    def __init__(self, sample_shape: tuple[int, ...], *, input_shape: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.layer = nn.Conv2d(input_shape[0], sample_shape[0], 1)

    def forward(self, samples):
        return self.layer(samples.repeat_interleave(2, 2).repeat_interleave(2, 3)).tanh()


class Mean(Discriminator):
    def __init__(self, sample_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layer = nn.Conv2d(sample_shape[0], 1, 1)

    def forward(self, samples):
        return self.layer(samples).mean((1, 2, 3))


class Upscaling(Game):
    needs = ("a", "b")
    directions = ("a2b",)

    def __init__(self, parts):
        super().__init__()
        self.translator = parts.translator()
        self.discriminator = parts.discriminator()
        self.loss = parts.loss()

    def players(self):
        return {"generator": self.translator, "discriminator": self.discriminator}

    def play(self, draw):
        batch = draw()
        fake = self.translator(batch["a"])
        yield Move("discriminator", self.loss.discriminator(self.discriminator(batch["b"]), self.discriminator(fake)))
        yield Move("generator", self.loss.generator(self.discriminator(self.translator(batch["a"]))))

    def translate(self, samples, direction):
        return self.translator(samples)

    def preview(self, batch):
        return {"given": batch["a"], "made": self.translator(batch["a"])}


class SmallAndLarge(Dataset):
    def info(self, root):
        fields = {"a": Field((1, 6, 8), "uint8", "domain"), "b": Field((3, 12, 16), "uint8", "domain")}
        return DatasetInfo(fields=fields, size=8)

    def load(self, root, split="train"):
        draw = torch.Generator().manual_seed(0)
        tensors = {
            "a": torch.randint(256, (8, 1, 6, 8), dtype=torch.uint8, generator=draw),
            "b": torch.randint(256, (8, 3, 12, 16), dtype=torch.uint8, generator=draw),
        }
        return Examples(tensors=tensors, checksum="sha256:both", origin="a test")
'''

RECIPE = """
description = "twice as large and in colour"
[game]
name = "upscaling"
[generator]
name = "doubler"
[discriminator]
name = "mean"
[loss]
name = "hinge"
[dataset]
name = "small-and-large"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 1
batch_size = 4
samples = 4
"""


@pytest.fixture
def run(tmp_path: Path, install_plugin: Callable[[str, str], None]) -> ganzoo.Run:
    install_plugin("doubling", PLUGIN)
    (tmp_path / "doubling.toml").write_text(RECIPE)
    (tmp_path / "pictures").mkdir()
    for number, mode in enumerate(("L", "RGB", "RGBA", "1")):
        Image.new(mode, (8, 6), 1).save(tmp_path / "pictures" / f"{number}.png")
    return ganzoo.train(tmp_path / "doubling.toml", out=tmp_path / "run", device="cpu", quiet=True)


def sample(run: ganzoo.Run, source: str, out: str, *options: object) -> Path:
    folder = run.directory.parent
    asked = ["sample", str(run.directory), "--input", str(folder / source), "-o", str(folder / out)]
    assert exit_status([*asked, *map(str, options)]) == 0
    return folder / out


def size_of(path: Path) -> tuple[str, int, int]:
    with Image.open(path) as image:
        return image.mode, *image.size


def test_training_draws_pictures_of_both_sizes(run: ganzoo.Run) -> None:
    sizes = {path.name: size_of(path) for path in run.files.samples.iterdir()}
    assert sizes["step-00000001.png"] == ("L", 2 * 10 + 2, 2 * 8 + 2)
    assert sizes["step-00000001-made.png"] == ("RGB", 2 * 18 + 2, 2 * 14 + 2)


def test_one_image_becomes_one_of_twice_the_size_in_colour(run: ganzoo.Run) -> None:
    assert size_of(sample(run, "pictures/0.png", "one.png")) == ("RGB", 16, 12)


def test_an_image_of_another_size_than_that_of_training_is_doubled_too(run: ganzoo.Run) -> None:
    Image.new("RGB", (5, 7), (9, 200, 30)).save(run.directory.parent / "odd.png")
    assert size_of(sample(run, "odd.png", "one.png")) == ("RGB", 10, 14)


def test_a_folder_becomes_a_folder_of_images_of_twice_the_size(run: ganzoo.Run) -> None:
    out = sample(run, "pictures", "translated")
    assert {path.name: size_of(path) for path in out.iterdir()} == {f"{n}.png": ("RGB", 16, 12) for n in range(4)}


def test_a_folder_becomes_a_picture_of_pairs_in_one_picture(run: ganzoo.Run) -> None:
    """Each in the middle of a place that the larger one fills; grey images keep their grey beside coloured ones."""
    picture = sample(run, "pictures", "pairs.png", "-n", 2)
    assert size_of(picture) == ("RGB", 2 * 18 + 2, 2 * 14 + 2)
    with Image.open(picture) as image:
        pixels = np.asarray(image)
    given = pixels[2 + 3 : 2 + 9, 2 + 4 : 2 + 12]
    assert (given == given[..., :1]).all()
    assert (given == 1).all()
    assert (pixels[2:5, 2:18] == 64).all()  # the border around it


def test_python_gives_what_the_network_makes(run: ganzoo.Run) -> None:
    assert run.translate(torch.zeros(3, 1, 6, 8)).shape == (3, 3, 12, 16)
    with pytest.raises(RunError, match=r"images of shape \(3, 3, 6, 8\) cannot be translated.\n.*\(n, 1, 6, 8\)"):
        run.translate(torch.zeros(3, 3, 6, 8))
