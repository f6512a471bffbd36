"""A plugin that takes names of ganzoo's or of another plugin's breaks no shipped recipe and no earlier run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.errors import GanzooError, PluginError, RecipeError
from ganzoo.plugins import zoo
from ganzoo.recipe import read_recipe

Install = Callable[[str, str], None]

SHADOWS = """
from ganzoo import Component, hookimpl

NAMES = [
    ("generator", "mlp"), ("discriminator", "mlp"), ("generator", "dcgan"), ("discriminator", "dcgan"),
    ("loss", "non-saturating"), ("loss", "hinge"), ("loss", "least-squares"), ("game", "two-player"),
    ("game", "cyclegan"), ("optimizer", "adam"), ("optimizer", "rmsprop"), ("dataset", "gaussians"),
    ("dataset", "mnist"), ("dataset", "glyphs"), ("regularizer", "r1"), ("regularizer", "r2"),
    ("loss", "relativistic"), ("metric", "gaussian-modes"),
    ("metric", "fid"), ("extractor", "flatten"), ("extractor", "digits"), ("kind", "point"), ("kind", "image"),
    ("schedule", "linear-decay"), ("augmentation", "flip"), ("recipe", "dcgan_folder"),
]


@hookimpl
def ganzoo_components():
    return [Component(shelf, name, "third_shadow:nothing") for shelf, name in NAMES]


def nothing(**options):
    raise AssertionError("a component of another plugin was used")
"""

OWN = """
from ganzoo import Component, Loss, hookimpl
from torch.nn.functional import softplus


@hookimpl
def ganzoo_components():
    return [Component("loss", "own", "{module}:Own")]


class Own(Loss):
    def discriminator(self, real, fake):
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake, real=None):
        return {factor} * softplus(-fake).mean()
"""


@pytest.fixture
def mine(small_recipe: Callable[[Path, str], Path], tmp_path: Path) -> Path:
    return small_recipe(tmp_path / "mine.toml", '[schedule.generator]\nname = "linear-decay"\n')


def weights(run: ganzoo.Run) -> bytes:
    return (run.checkpoint / "generator.safetensors").read_bytes()


def test_every_shipped_recipe_means_what_it_meant(install_plugin: Install) -> None:
    names = [entry.name for entry in zoo().entries("recipe")]
    before = {name: [choice.entry for choice in read_recipe(name).choices()] for name in names}
    install_plugin("third_shadow", SHADOWS)
    for name in names:
        path = f"{zoo().find('recipe', name, prefer=lambda found: found[0]).plugin}:{name}"
        assert [choice.entry for choice in read_recipe(path).choices()] == before[name], name


def test_a_shipped_recipe_trains_and_the_recipe_that_it_leaves_gives_the_same_run(
    install_plugin: Install, tmp_path: Path
) -> None:
    small = ["generator.hidden=[8]", "discriminator.hidden=[8]", "dataset.size=200"]
    plain = ganzoo.train(
        "relativistic_gaussians", out=tmp_path / "plain", steps=4, overrides=small, device="cpu", quiet=True
    )
    install_plugin("third_shadow", SHADOWS)
    run = ganzoo.train(
        "relativistic_gaussians", out=tmp_path / "run", steps=4, overrides=small, device="cpu", quiet=True
    )
    assert weights(run) == weights(plain)
    assert 'name = "ganzoo_vanilla:mlp"' in (run.directory / "recipe.toml").read_text()
    again = ganzoo.train(run.directory / "recipe.toml", out=tmp_path / "again", device="cpu", quiet=True)
    assert weights(again) == weights(plain)


@pytest.mark.parametrize("old", [False, True], ids=["with components", "made before they were recorded"])
def test_an_earlier_run_is_resumed_sampled_evaluated_and_shown(
    install_plugin: Install, mine: Path, tmp_path: Path, old: bool
) -> None:
    straight = ganzoo.train(mine, out=tmp_path / "straight", device="cpu", quiet=True)
    run = ganzoo.train(mine, out=tmp_path / "run", device="cpu", quiet=True).directory
    samples = ganzoo.load(run).sample(4, seed=1).tolist()
    if old:
        facts = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps({k: v for k, v in facts.items() if k != "components"}))
    install_plugin("third_shadow", SHADOWS)
    assert ganzoo.load(run).sample(4, seed=1).tolist() == samples
    assert exit_status(["report", str(run)]) == 0
    assert exit_status(["doctor", str(run)]) == 0
    assert exit_status(["evaluate", str(run), "-n", "50", "--metric", "ganzoo:gaussian-modes"]) == 0
    assert weights(ganzoo.resume(run, from_step=0, device="cpu", quiet=True)) == weights(straight)


def test_a_users_own_recipe_and_option_are_asked_which_plugin_they_mean(install_plugin: Install, mine: Path) -> None:
    install_plugin("third_shadow", SHADOWS)
    with pytest.raises(RecipeError, match='Say which: "ganzoo:adam" or "third_shadow:adam"'):
        read_recipe(mine)
    with pytest.raises(RecipeError, match='Say which: "ganzoo:hinge" or "third_shadow:hinge"'):
        read_recipe("relativistic_gaussians", overrides=["loss.name=hinge"])
    assert read_recipe("relativistic_gaussians", overrides=["loss.name=ganzoo:hinge"]).loss


def test_a_users_recipe_that_extends_a_shipped_one_takes_its_components_from_there(
    install_plugin: Install, tmp_path: Path
) -> None:
    install_plugin("third_shadow", SHADOWS)
    (tmp_path / "mine.toml").write_text('extends = "relativistic_gaussians"\n[generator]\nlatent_dim = 3\n')
    generator = read_recipe(tmp_path / "mine.toml").generator
    assert generator
    assert generator.entry.plugin == "ganzoo_vanilla"


def test_a_run_goes_on_with_its_own_plugins_component_and_not_with_a_namesake(
    install_plugin: Install, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin("third_one", OWN.format(module="third_one", factor=1))
    run = ganzoo.train(mine, out=tmp_path / "run", overrides=["loss.name=own"], device="cpu", quiet=True)
    install_plugin("third_two", OWN.format(module="third_two", factor=2))
    again = ganzoo.resume(run.directory, steps=6, device="cpu", quiet=True, overrides=["train.keep=9"])
    assert again.recipe.loss
    assert again.recipe.loss.entry.plugin == "third_one"
    monkeypatch.setenv("GANZOO_DISABLE", "third_one")
    zoo.cache_clear()
    with pytest.raises(GanzooError, match="third_one") as refused:
        ganzoo.resume(run.directory, steps=8, device="cpu", quiet=True)
    assert isinstance(refused.value, PluginError | RecipeError)


def test_a_plugins_recipe_means_its_own_component_first_and_then_a_required_plugins(
    install_plugin: Install, tmp_path: Path
) -> None:
    source = OWN.format(module="third_one", factor=1).replace(
        '"third_one:Own")', '"third_one:Own"), Component("recipe", "third_ring", "third_ring:ring.toml")'
    )
    install_plugin("third_one", source)
    install_plugin("third_shadow", SHADOWS.replace('("loss", "hinge")', '("loss", "hinge"), ("loss", "own")'))
    folder = tmp_path / "site" / "third_ring"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "ring.toml").write_text('extends = "relativistic_gaussians"\n[loss]\nname = "own"\n')
    loss = read_recipe("third_ring").loss
    assert loss
    assert loss.entry.plugin == "third_one"
