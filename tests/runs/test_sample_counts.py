"""The k-th sample of a seed is the same however many are drawn, wherever samples are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import ganzoo
from ganzoo.core.game import Game
from ganzoo.core.interfaces import Generator
from ganzoo.core.noise import drawn_in_blocks, joint
from ganzoo.datasets.obtain import read_split
from ganzoo.metrics.judge import draw_samples
from ganzoo.recipe.parts import build_dataset
from ganzoo.runs.sampling import CHUNK

Small = Callable[[Path, str], Path]

COUNTS = [1, 2, 3, 15, 17, 64, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3]
"""Around everything that a number of samples is rounded or divided by."""

MOST = COUNTS[-1]

ROUNDING = {"rtol": 0.0, "atol": 1e-6}
"""Sums of some hundred float32 products of numbers around 1, in another order."""


@pytest.fixture(scope="module")
def points(small_recipe: Small, tmp_path_factory: pytest.TempPathFactory) -> ganzoo.Run:
    """A run of points from latents of three numbers, so that no small number of them is a multiple of 16."""
    path = small_recipe(tmp_path_factory.mktemp("recipes") / "small.toml", "")
    out = tmp_path_factory.mktemp("runs") / "run"
    return ganzoo.train(path, out=out, quiet=True, device="cpu", generator__latent_dim=3, ema__decay=0.9)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> ganzoo.Run:
    """A conditional run of pictures of three classes, of 10, 20 and 30 pictures."""
    root = tmp_path_factory.mktemp("pictures")
    colours = np.random.default_rng(0)
    for kind, count in (("cat", 10), ("dog", 20), ("owl", 30)):
        (root / kind).mkdir()
        for number in range(count):
            pixels = colours.integers(256, size=(8, 8, 1), dtype=np.uint8)[:, :, 0]
            Image.fromarray(pixels).save(root / kind / f"{number}.png")
    settings = ("generator.hidden=[16]", "discriminator.hidden=[16]", "generator.conditional=true")
    data = ("discriminator.conditional=true", "dataset.name=image-folder", f"dataset.path={root}")
    out = tmp_path_factory.mktemp("runs") / "run"
    return ganzoo.train(
        "vanilla_mnist", out=out, device="cpu", fallback=False, quiet=True, overrides=(*settings, *data), steps=3
    )


@pytest.fixture(params=["points", "labelled"])
def run(request: pytest.FixtureRequest) -> ganzoo.Run:
    made: ganzoo.Run = request.getfixturevalue(request.param)
    return made


@pytest.mark.parametrize("options", [{}, {"truncation": 0.7}])
def test_the_kth_sample_and_its_conditions_do_not_depend_on_the_number(
    run: ganzoo.Run, options: dict[str, Any]
) -> None:
    whole, wanted = run.draw(MOST, seed=5, options=options)
    for n in COUNTS:
        samples, conditions = run.draw(n, seed=5, options=options)
        assert len(samples) == n
        torch.testing.assert_close(samples, whole[:n], **ROUNDING)
        assert all(torch.equal(conditions[key], wanted[key][:n]) for key in wanted)
    other, _ = run.draw(64, seed=6, options=options)
    assert not torch.allclose(other, whole[:64], **ROUNDING)


def test_latents_are_the_same_bit_for_bit(points: ganzoo.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []
    own = Generator.latents

    def latents(self: Generator, n: int, **options: Any) -> Tensor:
        drawn.append(own(self, n, **options))
        return drawn[-1]

    monkeypatch.setattr(Generator, "latents", latents)
    points.sample(MOST)
    whole = torch.cat(drawn)
    for n in COUNTS:
        drawn.clear()
        points.sample(n)
        assert torch.equal(torch.cat(drawn)[:n], whole[:n])


def test_samples_of_one_label_do_not_depend_on_the_number(labelled: ganzoo.Run) -> None:
    whole = labelled.sample(64, label="dog")
    for n in (1, 3, 17):
        torch.testing.assert_close(labelled.sample(n, label="dog"), whole[:n], **ROUNDING)


def test_a_samples_latents_do_not_depend_on_whether_its_label_was_asked_for(labelled: ganzoo.Run) -> None:
    samples, conditions = labelled.draw(20)
    torch.testing.assert_close(labelled.sample(20, label=conditions["label"]), samples, **ROUNDING)


def test_rows_of_walks_do_not_depend_on_their_number(run: ganzoo.Run) -> None:
    whole = run.interpolate(rows=CHUNK + 1, steps=3)
    for rows in (1, 2, 17, CHUNK):
        torch.testing.assert_close(run.interpolate(rows=rows, steps=3), whole[: 3 * rows], **ROUNDING)


def test_walks_leave_gradients_as_they_were(points: ganzoo.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(self: Game, n: int, conditions: Any = None, **way: Any) -> Iterator[Tensor]:
        with torch.no_grad():  # around the yield, as a plugin's game may have it
            for _ in range(3):
                yield self.sample(n, conditions)

    for _ in range(2):
        points.interpolate(rows=CHUNK + 1, steps=3)
        for _ in points._walk(CHUNK + 1, stops=2, frames=2, closed=False, seed=0, ema=True):
            assert torch.is_grad_enabled()
            break
        assert torch.is_grad_enabled()
        monkeypatch.setattr(Game, "walk", walk)
    assert torch.is_grad_enabled()


def test_pictures_show_the_same_first_samples(labelled: ganzoo.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Tensor] = []
    kind = type(labelled.kinds.sample)
    monkeypatch.setattr(kind, "picture", lambda self, samples, **_: shown.append(samples))
    for n in (1, 2, 3, 9, 30):
        labelled.picture(n)
    labelled.walk(2, stops=2, frames=1)
    labelled.walk(20, stops=2, frames=1)
    pictures, few, many = shown[:5], shown[5:7], shown[7:]
    assert len(few) == len(many)
    for samples in pictures:
        torch.testing.assert_close(samples, pictures[-1][: len(samples)], **ROUNDING)
    for samples, of_many in zip(few, many, strict=True):
        torch.testing.assert_close(samples, of_many[:2], **ROUNDING)


def test_what_is_scored_does_not_depend_on_the_number(run: ganzoo.Run) -> None:
    train = read_split(build_dataset(run.data_choice), Path(run.facts["dataset"]["root"]), "train")
    whole, wanted = draw_samples(run.game, MOST, 3, torch.device("cpu"), train, run.kinds)
    for n in COUNTS:
        samples, conditions = draw_samples(run.game, n, 3, torch.device("cpu"), train, run.kinds)
        # pixels are rounded: one that lies between two values may fall on either side
        assert (samples.double() - whole[:n].double()).abs().max() <= (1 if run.kinds.sample.clips else 1e-6)
        assert all(torch.equal(conditions[key], wanted[key][:n]) for key in wanted)


def test_noise_that_a_game_draws_after_its_latents_is_the_same_too(points: ganzoo.Run) -> None:
    """A generator that adds noise to its samples, drawn by `ganzoo.joint` as the guide for plugins says."""
    game = points.game
    own = game.sample

    def noisy(n: int, conditions: Any = None) -> Tensor:
        return own(n, conditions) + joint(torch.randn, n, 2)

    game.sample = noisy  # type: ignore[method-assign]
    try:
        whole = points.sample(MOST, ema=False)
        for n in COUNTS:
            torch.testing.assert_close(points.sample(n, ema=False), whole[:n], **ROUNDING)
    finally:
        del game.sample


def test_a_generator_with_a_prior_of_its_own_gives_the_same_samples_too(
    points: ganzoo.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It draws as one would without knowing of `ganzoo.joint`, in one draw for each batch."""
    monkeypatch.setattr(Generator, "latents", lambda self, n: torch.randn(n, self.latent_dim))
    whole = points.sample(64)
    for n in (1, 2, 3, 15, 17):
        torch.testing.assert_close(points.sample(n), whole[:n], **ROUNDING)


@pytest.fixture
def stream() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.usefixtures("stream")
def test_training_draws_what_it_drew_before() -> None:
    assert torch.equal(joint(torch.randn, 3, 5), torch.randn(3, 5, generator=torch.Generator().manual_seed(0)))


@pytest.mark.usefixtures("stream")
def test_blocks_are_drawn_whole_and_cut() -> None:
    expected = torch.randn(16, 5, generator=torch.Generator().manual_seed(0))
    with drawn_in_blocks(16):
        assert torch.equal(joint(torch.randn, 3, 5), expected[:3])
        assert joint(torch.randn, 0, 5).shape == (0, 5)
        assert joint(torch.rand, 33, 5).shape == (33, 5)
