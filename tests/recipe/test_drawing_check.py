"""What cannot be drawn or written is refused by the rehearsal, before there is a run's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.errors import RecipeError

Install = Callable[[str, str], None]

PLUGIN = '''
import torch
from PIL import Image
from ganzoo import (
    Component, Dataset, DatasetInfo, Discriminator, Examples, Field, Generator, Kind, Media, Preview, TwoPlayer,
    hookimpl,
)


@hookimpl
def ganzoo_components():
    return [
        Component("kind", "tone", "undrawn:Tone"),
        Component("dataset", "tones", "undrawn:Tones"),
        Component("generator", "tone", "undrawn:Maker"),
        Component("discriminator", "tone", "undrawn:Judge"),
        Component("game", "odd", "undrawn:Odd"),
    ]


class Tone(Kind):
    """Sixteen numbers in [-1, 1]. fails: which method raises."""

    bounds = (-1.0, 1.0)
    endings = (".npy", ".npz", ".tone")

    def __init__(self, *, fails: str = "") -> None:
        self.fails = fails

    def unit_shape(self, shape):
        return (3, 16) if self.fails == "shape" else shape

    def to_unit(self, stored):
        if self.fails == "to_unit":
            raise ValueError("no scale")
        return stored.float() / 127

    def from_unit(self, samples, field):
        return (samples * 127).round().to(field.torch_dtype)

    def picture(self, samples, *, columns=None, real=None):
        if self.fails == "picture" or (self.fails == "columns" and columns):
            raise ValueError("no pen")
        assert samples.device.type == "cpu" and tuple(samples.shape[1:]) == (16,), samples.shape
        assert samples.abs().max() <= 1
        return Image.new("L", (16, 16))

    def media(self, samples):
        return [Media("text/plain", b"tone")] if self.fails != "media" else [None.content]

    def write(self, samples, path, field, extra=None):
        if path.suffix == ".tone" or self.fails == "arrays":
            if self.fails in ("write", "arrays"):
                raise OSError("no ink")
            path.write_bytes(b"tone")
        else:
            super().write(samples, path, field, extra)


class Tones(Dataset):
    def __init__(self, *, fails: str = "") -> None:
        self.fails = fails

    def info(self, root):
        return DatasetInfo(fields={"real": Field((16,), "int8")}, size=40, kind="tone", details={"fails": self.fails})

    def load(self, root, split="train"):
        tensors = {"real": torch.arange(640, dtype=torch.int16).remainder(100).to(torch.int8).view(40, 16)}
        return Examples(tensors=tensors, checksum="sha256:tones", origin="a test")


class Maker(Generator):
    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 16)

    def forward(self, latents):
        return self.layer(latents).tanh()


class Judge(Discriminator):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(16, 1)

    def forward(self, samples):
        return self.layer(samples).squeeze(1)


class Odd(TwoPlayer):
    """fails: what is wrong with what it shows."""

    def __init__(self, parts, *, fails: str = "") -> None:
        super().__init__(parts)
        self.fails = fails

    def sample(self, n, conditions=None):
        samples = super().sample(n)
        if self.training:  # in its play
            return samples
        if self.fails == "sample shape":
            return samples.view(n, 4, 4)
        if self.fails == "sample type":
            return {"samples": samples}
        return samples.round().long() if self.fails == "sample dtype" else samples

    def preview(self, batch):
        made = TwoPlayer.sample(self, len(batch["real"]))
        return {
            "": {"samples": made},
            "tensor": made,
            "none": None,
            "empty": {},
            "list": {"samples": [1.0, 2.0]},
            "no samples": {"samples": made[:0]},
            "shape": {"samples": made, "halves": made[:, :8]},
            "name": {"samples": made, "../halves": made},
            "columns": {"samples": Preview(made, columns=0)},
            "rows": {"samples": Preview(made, columns=4)},
        }[self.fails if self.fails[:6] != "sample" else ""]
'''

RECIPE = """
description = "tones"
[game]
name = "odd"
[generator]
name = "tone"
[discriminator]
name = "tone"
[loss]
name = "hinge"
[dataset]
name = "tones"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 2
batch_size = 8
sample_every = 1
"""


@pytest.fixture
def recipe(tmp_path: Path, install_plugin: Install) -> Path:
    install_plugin("undrawn", PLUGIN)
    path = tmp_path / "tones.toml"
    path.write_text(RECIPE)
    return path


def test_a_kind_and_a_game_in_order_are_trained_drawn_and_written(recipe: Path, tmp_path: Path) -> None:
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True, overrides=['game.fails="rows"'])
    assert len(list(run.files.samples.glob("*.png"))) == 3
    assert run.sample(3).shape == (3, 16)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ('dataset.fails="picture"', r'samples \(16,\) of the kind "tone" cannot be drawn: no pen'),
        ('dataset.fails="write"', r'of the kind "tone" cannot be written to \.tone files: no ink'),
        ('dataset.fails="arrays"', r'of the kind "tone" cannot be written to \.npy files: no ink'),
        ('dataset.fails="media"', r'of the kind "tone" cannot be shown on pages \(Kind\.media\): AttributeError'),
        ('dataset.fails="to_unit"', r'the kind "tone" cannot take "real" \(16,\) int8 to what networks see: no scale'),
        (
            'dataset.fails="shape"',
            r'the kind "tone" makes \(16,\) of "real" \(16,\), and its unit_shape says \(3, 16\)',
        ),
        ('game.fails="sample shape"', r'the game "odd" gives \(8, 4, 4\) as samples, and dataset tones holds \(16,\)'),
        ('game.fails="sample type"', r'the game "odd" gives dict as samples'),
        ('game.fails="sample dtype"', r'the game "odd" gives \(8, 16\) int64 as samples'),
        ('game.fails="tensor"', r'the game "odd" gives Tensor as its preview'),
        ('game.fails="none"', r'the game "odd" gives NoneType as its preview'),
        ('game.fails="empty"', r'the game "odd" gives nothing as its preview'),
        ('game.fails="list"', r'the game "odd" gives list as the preview "samples"'),
        ('game.fails="no samples"', r'the game "odd" gives \(0, 16\) as the preview "samples"'),
        ('game.fails="shape"', r'the game "odd" gives \(8,\) in its preview, which the kind "tone" cannot draw'),
        ('game.fails="name"', r"the game \"odd\" names a picture '\.\./halves'"),
        ('game.fails="columns"', r'the game "odd" asks for 0 columns in the preview "samples"'),
    ],
)
def test_what_cannot_be_drawn_or_written_is_refused_before_anything_is_there(
    recipe: Path, tmp_path: Path, override: str, said: str
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RecipeError, match=said) as caught:
        ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True, overrides=[override])
    place, _, _ = str(caught.value).partition(": ")
    assert place == f"{recipe}:{3 if override.startswith('game') else 11}"  # where [game] and [dataset] are named
    assert "Traceback" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_kind_that_cannot_draw_rows_is_refused_where_a_preview_has_them(recipe: Path, tmp_path: Path) -> None:
    overrides = ['dataset.fails="columns"']
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True, overrides=overrides)
    with pytest.raises(RecipeError, match="cannot be drawn: no pen"):
        ganzoo.train(recipe, out=tmp_path / "no", device="cpu", quiet=True, overrides=[*overrides, 'game.fails="rows"'])


def test_the_rehearsal_leaves_nothing_behind(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    assert list(scratch.iterdir()) == []
