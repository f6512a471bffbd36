"""A small recipe for what no recipe of its plugin plays: a generator or discriminator with a partner, or a game."""

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
from ganzoo.testing.recipe_fixture import Scene, labelled, reader_of
from ganzoo.testing.subject import Subject

OTHER = {"generator": "discriminator", "discriminator": "generator"}

Settings = Mapping[str, tuple[Any, str]]

BUDGET = {"steps": 1, "batch_size": 4, "samples": 4}


class Duet:
    """A two-player recipe around one network."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def read(self, settings: Settings) -> Recipe:
        """The recipe, with a partner that fits. Raises: NotChecked where there is none."""
        return read_text(self.tables(self.partner), settings)

    def info(self) -> DatasetInfo:
        """Of the data that it is for."""
        return labelled(self.subject.network.shape)

    @cached_property
    def partner(self) -> Entry:
        """A network for the other side, of the same plugin if one fits. Raises: NotChecked."""
        others = zoo().entries(OTHER[self.subject.entry.shelf])
        for other in sorted(others, key=lambda entry: entry.plugin != self.subject.entry.plugin):
            try:
                dry_run(read_text(self.tables(other), {}), self.info())
            except RecipeError:
                continue
            return other
        other_shelf = OTHER[self.subject.entry.shelf]
        raise NotChecked(f"no installed {other_shelf} fits it, and no recipe of its plugin plays it", blocks=True)

    def tables(self, partner: Entry) -> Mapping[str, Any]:
        """What a recipe for the two says."""
        required = [name for name, option in self.subject.options.items() if option.required]
        given = {name: self.subject.choice.options[name] for name in required}
        return {
            self.subject.entry.shelf: {"name": full_name(self.subject.entry), **given},
            partner.shelf: {"name": full_name(partner)},
            "loss": {"name": "non-saturating"},
            "dataset": {"name": "gaussians"},  # never loaded: the description is `info`
            "optimizer": {player: {"name": "adam"} for player in OTHER},
            "train": BUDGET,
        }


class Borrowed:
    """For a game, or what two players cannot play: whichever installed recipe has it."""

    def __init__(self, subject: Subject, recipe: Entry | None) -> None:
        self.subject = subject
        self.recipe = recipe

    def read(self, settings: Settings) -> Recipe:
        """That recipe. Raises: Failure where no recipe plays the game; NotChecked where none has the network."""
        if self.recipe is not None:
            return reader_of(self.recipe)(settings)
        if self.subject.entry.shelf == "game":
            raise Failure("no installed recipe plays it.", "ship a recipe that does, on the shelf `recipe`.")
        raise NotChecked("it makes samples from samples, and no installed recipe plays it", blocks=True)


def read_text(tables: Mapping[str, Any], settings: Settings) -> Recipe:
    """A recipe that stands in no file. Raises: RecipeError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.toml"
        path.write_text(tomlkit.dumps(tables), encoding="utf-8")
        return read_recipe(path, settings=settings)


def duet(subject: Subject, recipe: Entry | None) -> Scene:
    """The scene in which something is played that its own plugin's recipes leave out. recipe: any that plays it."""
    if subject.entry.shelf == "game" or is_translator(subject):
        return Scene(Borrowed(subject, recipe).read, subject.entry.distribution)
    made = Duet(subject)
    return Scene(made.read, subject.entry.distribution, made.info)


def is_translator(subject: Subject) -> bool:
    """Whether it makes samples from samples, as far as its options can be read; the engine knows one the same way."""
    try:
        return "input_shape" in subject.options
    except PluginError:  # its own check says so
        return False


def full_name(entry: Entry) -> str:
    """The name that means this one whatever else is installed: "plugin:name"."""
    return f"{entry.plugin}:{entry.name}"
