"""Recipes for components that no recipe of their plugin plays: networks with an opponent, and games."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import tomlkit

from ganzoo.core.data import DatasetInfo
from ganzoo.errors import PluginError, RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.model import Recipe
from ganzoo.testing.failure import Failure, NotChecked
from ganzoo.testing.network import FirstNetwork, cases_of
from ganzoo.testing.recipe_fixture import RecipeFixture, recipe_reader
from ganzoo.testing.subject import Subject

OPPONENT = {"generator": "discriminator", "discriminator": "generator"}

Settings = Mapping[str, tuple[Any, str]]

BUDGET = {"steps": 1, "batch_size": 4, "samples": 4}


class TwoPlayerRecipe:
    """A two-player recipe around one network."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def read(self, settings: Settings) -> Recipe:
        """The recipe, with an opponent that fits. Raises: NotChecked if there is none."""
        return read_text(self.tables(self.opponent), settings)

    def info(self) -> DatasetInfo:
        """The description of its data."""
        return FirstNetwork(self.subject, cases_of(self.subject)).network.info

    @cached_property
    def opponent(self) -> Entry:
        """An opponent network, of the same plugin if one fits. Raises: NotChecked."""
        others = zoo().entries(OPPONENT[self.subject.entry.shelf])
        for other in sorted(others, key=lambda entry: entry.plugin != self.subject.entry.plugin):
            try:
                dry_run(read_text(self.tables(other), {}), self.info())
            except RecipeError:
                continue
            return other
        other_shelf = OPPONENT[self.subject.entry.shelf]
        raise NotChecked(f"no installed {other_shelf} fits it, and no recipe of its plugin plays it", blocks=True)

    def tables(self, opponent: Entry) -> Mapping[str, Any]:
        """The tables of a recipe for the two."""
        required = [name for name, option in self.subject.options.items() if option.required]
        given = {name: self.subject.choice.options[name] for name in required}
        return {
            self.subject.entry.shelf: {"name": full_name(self.subject.entry), **given},
            opponent.shelf: {"name": full_name(opponent)},
            "loss": {"name": "non-saturating"},
            "dataset": {"name": "gaussians"},  # never loaded: `info` describes the data
            "optimizer": {player: {"name": "adam"} for player in OPPONENT},
            "train": BUDGET,
        }


class InstalledRecipe:
    """An installed recipe that plays a game, or a network that the two-player game cannot play."""

    def __init__(self, subject: Subject, recipe: Entry | None) -> None:
        self.subject = subject
        self.recipe = recipe

    def read(self, settings: Settings) -> Recipe:
        """The recipe. Raises: Failure if no recipe plays the game; NotChecked if none uses the network."""
        if self.recipe is not None:
            return recipe_reader(self.recipe)(settings)
        if self.subject.entry.shelf == "game":
            raise Failure("no installed recipe plays it.", "ship a recipe that does, on the shelf `recipe`.")
        raise NotChecked("it makes samples from samples, and no installed recipe plays it", blocks=True)


def read_text(tables: Mapping[str, Any], settings: Settings) -> Recipe:
    """A recipe from tables. Raises: RecipeError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.toml"
        path.write_text(tomlkit.dumps(tables), encoding="utf-8")
        return read_recipe(path, settings=settings)


def fixture_for(subject: Subject, recipe: Entry | None) -> RecipeFixture:
    """The fixture for a component that its own plugin's recipes do not play. recipe: any that plays it."""
    if subject.entry.shelf == "game" or is_translator(subject):
        return RecipeFixture(InstalledRecipe(subject, recipe).read, subject.entry.distribution)
    recipe_for_two = TwoPlayerRecipe(subject)
    return RecipeFixture(recipe_for_two.read, subject.entry.distribution, recipe_for_two.info)


def is_translator(subject: Subject) -> bool:
    """Whether it makes samples from samples, as far as its options can be read; the engine knows one the same way."""
    try:
        return "input_shape" in subject.options
    except PluginError:  # reported by its own check
        return False


def full_name(entry: Entry) -> str:
    """The name that means this one whatever else is installed: "plugin:name"."""
    return f"{entry.plugin}:{entry.name}"
