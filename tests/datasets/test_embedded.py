"""Glyphs and Gaussians need no files, and are the same every time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from ganzoo.datasets import glyph_domains, glyphs
from ganzoo.datasets.cache import read_cached
from ganzoo.datasets.gaussians import Gaussians
from ganzoo.datasets.glyph_domains import GlyphDomains
from ganzoo.datasets.glyph_rendering import colour, render_digits
from ganzoo.datasets.glyphs import Glyphs
from ganzoo.datasets.root import data_root
from ganzoo.recipe import read_recipe
from ganzoo.recipe.parts import build_dataset


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own, and splits of a few glyphs."""
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    for module in (glyphs, glyph_domains):
        monkeypatch.setattr(module, "SIZES", {"train": 300, "test": 100})
    return tmp_path


def test_glyphs_are_the_same_whatever_was_drawn_before_and_on_however_many_threads() -> None:
    torch.manual_seed(1)
    first, labels = render_digits(200, 28, seed=5)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if threads == 1 else 1)
    again, same_labels = render_digits(200, 28, seed=5)
    torch.set_num_threads(threads)
    assert torch.equal(first, again)
    assert torch.equal(labels, same_labels)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(first, render_digits(200, 28, seed=6)[0])


def test_glyphs_look_like_digits_on_black() -> None:
    images, labels = render_digits(2000, 28, seed=0)
    ink = images.float() / 255
    assert ink[:, :, 0].mean() < 0.01  # the border is empty
    assert 0.08 < ink.mean() < 0.3  # MNIST: 0.13
    assert images.max() > 250
    counts = labels.bincount(minlength=10)
    # 2,000 draws of ten equally likely digits: 200 each, standard deviation 13.4; five of them are 67.
    assert counts.min() > 133
    assert counts.max() < 267
    # A mean picture per digit tells most of them apart: they are digits, and the labels are theirs.
    means = torch.stack([ink[labels == digit].mean(dim=0) for digit in range(10)]).flatten(1)
    held, true = render_digits(500, 28, seed=9)
    nearest = torch.cdist(held.flatten(1).float() / 255, means).argmin(dim=1)
    assert (nearest == true).float().mean() > 0.7  # by chance: 0.1


def test_colours_keep_the_digit_brighter_than_its_ground() -> None:
    images, _ = render_digits(50, 32, seed=0)
    coloured = colour(images, seed=0).float()
    inside, outside = images[:, 0] > 200, images[:, 0] == 0
    for picture, ink, ground in zip(coloured.mean(dim=1), inside, outside, strict=True):
        assert picture[ink].mean() > picture[ground].mean() + 20


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3), (64, 1)])
def test_glyphs_come_in_the_sizes_asked_for(few: Path, size: int, channels: int) -> None:
    data = Glyphs(size=size, channels=channels)  # type: ignore[arg-type]
    examples = data.load(few)
    assert examples.tensors["real"].shape == (300, *data.info(few).sample_shape)


def test_the_cache_is_used_checked_and_made_anew(few: Path) -> None:
    first = Glyphs().load(few)
    (path,) = (few / "glyphs").iterdir()
    assert read_cached(path) is not None
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert read_cached(path) is None
    assert Glyphs().load(few).checksum == first.checksum
    assert read_cached(path) is not None
    assert Glyphs().load(few, "test").checksum != first.checksum


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_glyph_domains_have_the_shapes_they_say_and_labels_that_no_batch_holds(
    few: Path, size: int, channels: int
) -> None:
    data = GlyphDomains(size=size, channels=channels)  # type: ignore[arg-type]
    info, tensors = data.info(few), data.load(few).tensors
    shapes = {key: info.fields[key].shape for key in info.domains}
    assert shapes == {"a": (channels, size, size), "b": (3, size, size)}
    assert {key: tuple(tensors[key].shape[1:]) for key in info.gives} == shapes
    assert tensors.keys() - set(info.gives) == {"label_a", "label_b"}
    assert len(tensors["a"]) == len(tensors["label_b"]) == 300


def test_unpaired_glyph_domains_have_nothing_in_common_and_paired_ones_every_digit(few: Path) -> None:
    apart, together = GlyphDomains().load(few).tensors, GlyphDomains(paired=True).load(few).tensors
    assert not GlyphDomains().info(few).paired
    assert GlyphDomains(paired=True).info(few).paired
    # 300 pairs of independent digits agree in 30, standard deviation 5.2; six of them are 31.
    assert (apart["label_a"] == apart["label_b"]).sum() < 61
    assert torch.equal(together["label_a"], together["label_b"])
    # Where the thin stroke is, the thick one is, too, and it is brighter than the ground.
    inside = together["a"][:, 0] > 200
    brightest = together["b"].amax(dim=1).float()
    assert all(picture[ink].mean() > 200 for picture, ink in zip(brightest, inside, strict=True) if ink.any())
    assert brightest[together["a"][:, 0] == 0].mean() < 150


def test_glyph_domains_are_the_same_every_time_and_their_splits_are_not(few: Path) -> None:
    first = GlyphDomains().load(few).checksum
    (few / "glyph-domains").rename(few / "aside")
    torch.manual_seed(1)
    assert GlyphDomains().load(few).checksum == first
    assert GlyphDomains().load(few, "test").checksum != first


def test_glyph_domains_differ_in_stroke_colour_and_ground(few: Path) -> None:
    tensors = GlyphDomains(channels=3).load(few).tensors
    a, b = (tensors[key].float() / 255 for key in ("a", "b"))
    assert (a.amax(dim=1) - a.amin(dim=1)).max() == 0  # white on black
    assert (b.amax(dim=1) - b.amin(dim=1)).mean() > 0.15
    assert (a > 0.5).float().mean() < 0.15
    assert (b.amax(dim=1) > 0.6).float().mean() > 0.2
    assert a[:, :, :2].mean() < 0.01  # black around
    assert b[:, :, :2].flatten(1).std(dim=1).min() > 0.01  # no ground is flat


@pytest.mark.parametrize(("layout", "modes"), [("ring", 8), ("grid", 25)])
def test_gaussians_are_where_and_as_wide_as_they_say(layout: str, modes: int, tmp_path: Path) -> None:
    data = Gaussians(layout=layout, std=0.05, size=20_000)  # type: ignore[arg-type]
    tensors = data.load(tmp_path).tensors
    assert len(data.centres) == modes == len(data.info(tmp_path).classes)
    offsets = tensors["real"] - data.centres[tensors["label"]]
    # 40,000 numbers: the standard error of their deviation is 0.05 / sqrt(2 * 40,000) = 0.00018; five of them.
    assert offsets.std().item() == pytest.approx(0.05, abs=0.0009)
    assert tensors["label"].bincount().min() > 0.8 * 20_000 / modes
    assert not torch.equal(tensors["real"][:2000], data.load(tmp_path, "test").tensors["real"])


def test_the_mixtures_are_those_of_veegan() -> None:
    # As PacGAN states them (arXiv:1712.04086, Section 4.1): means (cos(2 pi i / 8), sin(2 pi i / 8)) with variances
    # 0.01^2, and (-4 + 2i, -4 + 2j) with variances 0.05^2.
    ring, grid = Gaussians(), Gaussians(layout="grid")
    angles = [2 * math.pi * mode / 8 for mode in range(8)]
    means = torch.tensor([[math.cos(angle), math.sin(angle)] for angle in angles])
    assert torch.allclose(ring.centres, means, atol=1e-6)  # float32
    assert grid.centres.tolist() == [[-4.0 + 2 * i, -4.0 + 2 * j] for i in range(5) for j in range(5)]
    assert (ring.std, grid.std) == (0.01, 0.05)
    between = (ring.centres[0] - ring.centres[1]).norm().item()
    assert between / ring.std == pytest.approx(76.5, abs=0.1)
    assert Gaussians(radius=2.0).centres.tolist() == (2 * ring.centres).tolist()


@pytest.mark.parametrize("name", ["relativistic_gaussians", "relativistic_gaussians_grid"])
def test_recipes_that_name_veegans_mixtures_have_them(name: str) -> None:
    options = read_recipe(name).dataset.options
    papers = Gaussians(layout=options["layout"])
    mixture = build_dataset(read_recipe(name).dataset)
    assert isinstance(mixture, Gaussians)
    assert torch.equal(mixture.centres, papers.centres)
    assert mixture.std == papers.std


def test_the_data_root_is_the_given_one_then_the_environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "environment"))
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    assert data_root(tmp_path / "given") == tmp_path / "given"
    assert data_root(None) == tmp_path / "environment"
    monkeypatch.delenv("GANZOO_DATA")
    assert data_root(None) == tmp_path / "cache" / "data"
