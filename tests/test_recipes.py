"""The recipes that ganzoo ships can be played, and say what their papers say."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from torch import nn

from ganzoo.errors import DatasetUnavailable
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_dataset, build_game

SHIPPED = sorted((Path(__file__).parent.parent / "recipes").glob("*.toml"))
COLOUR = {"dcgan_cifar10", "dcgan_folder", "relativistic_stacked_mnist"}


def read(name: str, *overrides: str) -> Recipe:
    return read_recipe(name, overrides=overrides)


def normalised(network: nn.Module) -> bool:
    return any(isinstance(layer, nn.modules.batchnorm._NormBase) for layer in network.modules())


@pytest.mark.parametrize(
    "name", [path.stem for path in SHIPPED if path.stem.startswith(("dcgan", "relativistic", "vanilla", "wgan"))]
)
def test_a_shipped_recipe_fits_its_data_and_its_fallback(name: str, tmp_path: Path) -> None:
    recipe = read(name)
    choices = [recipe.dataset] + [recipe.fallback] * (recipe.fallback is not None)
    for choice in choices:
        try:
            info = build_dataset(choice).info(tmp_path)
        except DatasetUnavailable:
            assert name == "dcgan_folder"  # its folder is the user's
            continue
        assert dry_run(recipe, info).draws_per_round == recipe.game.options["n_critic"]
        assert info.kind == "point" or info.sample_shape[0] == (3 if name in COLOUR else 1)


def test_a_folder_of_ones_own_takes_one_setting(tmp_path: Path) -> None:
    for number in range(12):
        Image.new("RGB", (80, 70), (number, 0, 0)).save(tmp_path / f"{number}.png")
    recipe = read("dcgan_folder", f"dataset.path={tmp_path}")
    info = build_dataset(recipe.dataset).info(Path())
    assert info.sample_shape == (3, 64, 64)
    assert dry_run(recipe, info).draws_per_round == 1


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED if path.stem.startswith("dcgan")])
def test_dcgan_is_trained_with_adam_at_two_ten_thousandths_and_a_beta1_of_a_half(name: str) -> None:
    recipe = read(name)
    for choice in recipe.optimizers.values():
        assert choice.entry.name == "adam"
        assert (choice.options["lr"], tuple(choice.options["betas"])) == (2e-4, (0.5, 0.999))


def test_wgan_is_algorithm_1_of_its_paper() -> None:
    recipe = read("wgan_mnist")
    assert recipe.loss is not None
    assert (recipe.loss.entry.name, recipe.game.options["n_critic"]) == ("wasserstein", 5)
    assert [(rule.entry.name, rule.options) for rule in recipe.regularizers] == [("weight-clip", {"limit": 0.01})]
    for choice in recipe.optimizers.values():
        assert (choice.entry.name, choice.options["lr"], choice.options["momentum"]) == ("rmsprop", 5e-5, 0.0)
    assert recipe.generator is not None
    assert recipe.discriminator is not None
    assert (recipe.generator.entry.name, recipe.discriminator.entry.name) == ("dcgan", "dcgan")


@pytest.mark.parametrize(("name", "weight"), [("wgan_gp_mnist", 10.0), ("wgan_gp_gaussians", 0.1)])
def test_wgan_gp_is_algorithm_1_of_its_paper_and_has_no_batch_norm_in_the_critic(
    name: str, weight: float, tmp_path: Path
) -> None:
    recipe = read(name)
    assert recipe.loss is not None
    assert (recipe.loss.entry.name, recipe.game.options["n_critic"]) == ("wasserstein", 5)
    [penalty] = recipe.regularizers
    assert (penalty.entry.name, penalty.options["weight"]) == ("gradient-penalty", weight)
    for choice in recipe.optimizers.values():
        assert choice.entry.name == "adam"
        assert tuple(choice.options["betas"]) == (0.0, 0.9)
    critic = build_game(recipe, build_dataset(recipe.dataset).info(tmp_path)).players()["discriminator"]
    assert not normalised(critic)
    assert getattr(critic, "per_sample", False)


@pytest.mark.parametrize("name", [path.stem for path in SHIPPED if path.stem.startswith("relativistic")])
def test_the_pairing_loss_has_a_penalty_on_both_sides_and_a_discriminator_that_judges_each_sample_by_itself(
    name: str, tmp_path: Path
) -> None:
    recipe = read(name)
    assert recipe.loss is not None
    assert recipe.loss.entry.name == "relativistic"
    real, fake = recipe.regularizers
    assert (real.entry.name, fake.entry.name) == ("r1", "r2")
    assert real.options == fake.options
    for choice in recipe.optimizers.values():
        assert choice.options["betas"][0] == 0.0
    discriminator = build_game(recipe, build_dataset(recipe.dataset).info(tmp_path)).players()["discriminator"]
    assert not normalised(discriminator)
    assert getattr(discriminator, "per_sample", False)
