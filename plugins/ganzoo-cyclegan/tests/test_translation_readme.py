"""What the README and the recipes say of the options is what the constructors say."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from ganzoo_cyclegan.plugin import RECIPES, ganzoo_components

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL)]
COMPONENTS = {(component.shelf, component.name): component for component in ganzoo_components()}
WORDS = {"blocks": 6, "depth": 8}
"""Options whose default follows from the size: what the README shows for them."""

FROM_THE_GAME = {"sample_shape", "input_shape", "parts"}


def options(shelf: str, name: str) -> dict[str, Any]:
    parameters = inspect.signature(COMPONENTS[shelf, name].load()).parameters
    return {key: WORDS.get(key, parameter.default) for key, parameter in parameters.items() if key not in FROM_THE_GAME}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: next(iter(block.values()))["name"])
def test_the_readme_shows_every_option_with_its_default(block: dict[str, dict[str, Any]]) -> None:
    ((shelf, table),) = block.items()
    assert {"name": table["name"], **options(shelf, table["name"])} == table


def test_the_readme_shows_every_component() -> None:
    shown = {(shelf, table["name"]) for block in BLOCKS for shelf, table in block.items()}
    told = {key for key in COMPONENTS if key[0] != "recipe"}
    assert shown == told
    assert {key for key in told if f"| `{key[1]}` |" in README} == told


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_the_papers_optimizers_and_losses(name: str) -> None:
    recipe = tomllib.loads((files("ganzoo_cyclegan") / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))
    assert recipe["game"]["name"] == name.partition("_")[0]
    for optimizer in recipe["optimizer"].values():
        assert optimizer == {"name": "adam", "lr": 2e-4, "betas": [0.5, 0.999]}
    if recipe["game"]["name"] == "cyclegan":
        assert recipe["loss"]["name"] == "least-squares"
        assert {table["name"] for table in recipe["schedule"].values()} == {"linear-decay"}
        assert (recipe["game"]["adversarial"], recipe["game"]["cycle"], recipe["game"]["pool"]) == (2.0, 10.0, 50)
    else:
        assert recipe["loss"]["name"] == "non-saturating"
        assert recipe["game"]["l1"] == 100.0
