"""[[augment]]: what a discriminator sees is changed, real and generated samples alike, in any two-player game."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import RecipeError
from ganzoo.plugins import zoo
from ganzoo.recipe import read_recipe, recipe_toml
from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.runners.compiled_rounds import CompiledRoundsRunner
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]
Gap = Callable[[Checkpoint, Checkpoint], float]

PLUGIN = """
import torch
from torch import nn
from ganzoo import Augmentation, Component, Discriminator, Generator, hookimpl, joint


@hookimpl
def ganzoo_components():
    return [
        Component("augmentation", "shift", "third_augment:Shift"),
        Component("augmentation", "same", "third_augment:Same"),
        Component("augmentation", "adaptive", "third_augment:Adaptive"),
        Component("augmentation", "by-label", "third_augment:ByLabel"),
        Component("augmentation", "fails", "third_augment:Fails"),
        Component("generator", "labelled", "third_augment:LabelledGenerator"),
        Component("discriminator", "labelled", "third_augment:LabelledDiscriminator"),
    ]


class Shift(Augmentation):
    def __init__(self, *, by: float = 100.0):
        super().__init__()
        self.by = by

    def forward(self, samples):
        return samples + self.by


class Same(Augmentation):
    def forward(self, samples):
        return samples


class Adaptive(Augmentation):
    '''More noise while the discriminator is sure of real samples, as ADA does it (arXiv:2006.06676, Section 3).'''

    def __init__(self, *, target: float = 0.6, step: float = 0.01):
        super().__init__()
        self.target, self.step = target, step
        self.register_buffer("strength", torch.zeros(()))

    def forward(self, samples):
        return samples + self.strength * joint(torch.randn, *samples.shape, device=samples.device)

    def adapt(self, real_scores):
        self.strength += self.step * torch.sign(torch.sign(real_scores).mean() - self.target)
        self.strength.clamp_(0.0, 1.0)


class ByLabel(Augmentation):
    def forward(self, samples, label):
        return samples + 10.0 * label.view(-1, 1)


class Fails(Augmentation):
    def forward(self, samples):
        raise ValueError("not these samples")


class LabelledGenerator(Generator):
    latent_dim = 4

    def __init__(self, n_classes: int | None = None):
        super().__init__()
        self.label = nn.Embedding(n_classes, 4)
        self.network = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, latents, label):
        return self.network(latents + self.label(label))


class LabelledDiscriminator(Discriminator):
    per_sample = True

    def __init__(self, n_classes: int | None = None):
        super().__init__()
        self.label = nn.Embedding(n_classes, 2)
        self.network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, samples, label):
        return self.network(samples + self.label(label)).squeeze(1)
"""

CONDITIONAL = ('generator={name="labelled"}', 'discriminator={name="labelled"}')


@pytest.fixture(autouse=True, scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    (site / "third_augment.py").write_text(PLUGIN)
    info = site / "third_augment-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-augment\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_augment = third_augment\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        importlib.invalidate_caches()
        zoo.cache_clear()
        yield
    zoo.cache_clear()
    sys.modules.pop("third_augment", None)


def seen_in_a_round(training: Training) -> list[Tensor]:
    """What the discriminator was given in one round: of each call its samples."""
    seen: list[Tensor] = []
    handle = training.game.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    with own_randomness(torch.device("cpu")):
        training.restore_streams()
        training.advance()
    handle.remove()
    return seen


@pytest.mark.parametrize("networks", [(), CONDITIONAL], ids=["unconditional", "conditional"])
def test_real_and_generated_samples_are_changed_alike(
    points: Path, training_of: Make, networks: tuple[str, ...]
) -> None:
    plain = seen_in_a_round(training_of(points, *networks))
    changed = seen_in_a_round(training_of(points, *networks, 'augment=[{name="shift"}]'))
    # the discriminator scores real and generated points in one pass, then the generator's
    assert [len(samples) for samples in plain] == [len(samples) for samples in changed] == [64, 32]
    torch.testing.assert_close(changed[0], plain[0] + 100.0)
    assert changed[1].min() > 90


def test_they_follow_each_other_in_the_order_of_the_recipe(points: Path, training_of: Make) -> None:
    both = 'augment=[{name="shift", by=1000.0}, {name="by-label"}]'
    [first, _] = seen_in_a_round(training_of(points, both))
    [plain, _] = seen_in_a_round(training_of(points))
    labels = (first - plain - 1000.0)[:, 0] / 10.0
    assert set(labels.round().int().tolist()) == set(range(8))  # the mode of each point, and those of the real batch


def test_an_augmentation_gets_conditions_that_the_networks_do_not_read(points: Path, training_of: Make) -> None:
    training = training_of(points, 'augment=[{name="by-label"}]')
    assert training.game.needs == ("real", "label")
    assert training.game.conditions == ()  # samples are not made for a label


def test_samples_and_grids_are_not_augmented(points: Path, training_of: Make) -> None:
    training = training_of(points, 'augment=[{name="shift"}]')
    with training.shown():
        assert training.game.sample(64).abs().max() < 50


def test_one_that_changes_nothing_leaves_the_same_run_to_the_last_bit(
    points: Path, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    plain, same = play(training_of(points), 20), play(training_of(points, 'augment=[{name="same"}]'), 20)
    assert largest_gap(same, plain) == 0.0
    assert same.state["random"] == plain.state["random"]


def test_the_generator_learns_through_the_augmentation(points: Path, training_of: Make) -> None:
    training = training_of(points, 'augment=[{name="instance-noise", std=0.5}]')
    before = [each.detach().clone() for each in training.players["generator"].parameters]
    training.advance()
    assert not any(map(torch.equal, before, training.players["generator"].parameters))


@pytest.mark.parametrize("networks", [(), CONDITIONAL], ids=["unconditional", "conditional"])
def test_an_adaptive_one_goes_on_after_a_resume_as_if_it_had_not_been_stopped(
    points: Path, tmp_path: Path, networks: tuple[str, ...]
) -> None:
    settings = [*networks, 'augment=[{name="adaptive", target=-1.5}]']
    straight = ganzoo.train(points, out=tmp_path / "straight", overrides=settings, device="cpu", quiet=True)
    ganzoo.train(points, out=tmp_path / "run", overrides=settings, steps=25, device="cpu", quiet=True)
    resumed = ganzoo.resume(tmp_path / "run", steps=50, device="cpu", quiet=True)
    names = sorted(file.name for file in straight.checkpoint.glob("*.safetensors"))
    assert "game.safetensors" in names
    for name in names:
        assert (straight.checkpoint / name).read_bytes() == (resumed.checkpoint / name).read_bytes(), name
    strength = straight.game.augmentations[0].strength
    assert strength.item() == pytest.approx(0.5, abs=1e-5)  # a hundredth after each of 50 moves of the discriminator


def test_an_adaptive_one_is_the_same_in_captured_rounds(
    points: Path, training_of: Make, play: Play, largest_gap: Gap
) -> None:
    settings = 'augment=[{name="adaptive"}, {name="instance-noise"}]'
    eager, traced = training_of(points, settings), training_of(points, settings)
    runner = traced.runner = CompiledRoundsRunner(traced, "a test", compile_function=lambda piece, given: piece)
    assert largest_gap(play(traced, 20), play(eager, 20)) == 0.0
    assert runner.graphs


@pytest.mark.parametrize("recipe", ["cyclegan_glyphs", "pix2pix_glyphs"])
def test_a_game_that_does_not_use_it_says_so(recipe: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r'the game "\w+" does not use \[\[augment\]\]\.'):
        ganzoo.train(recipe, out=tmp_path / "run", overrides=['augment=[{name="flip"}]'], quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            '{name="flip"}',
            'augment[0] "flip" cannot be built: it changes images (channels, height, width), and samples',
        ),
        ('{name="instance-noise", std=-1.0}', "augment[0].std should be float, at least 0, at most 100"),
        ('{name="cut-out"}', "Did you mean cutout?"),
        ('{name="same"}, {name="fails"}', 'augment[1] "fails" fails on (32, 2)'),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(points: Path, tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(points, out=tmp_path / "run", overrides=[f"augment=[{table}]"], quiet=True)
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_saved_recipe_keeps_the_tables(points: Path, tmp_path: Path) -> None:
    recipe = read_recipe(points, overrides=['augment=[{name="instance-noise"}, {name="same"}]'])
    saved = tmp_path / "saved.toml"
    saved.write_text(recipe_toml(recipe))
    assert read_recipe(saved) == recipe
    assert [choice.table for choice in recipe.augmentations] == ["augment[0]", "augment[1]"]
