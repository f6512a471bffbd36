"""A small recipe for what no recipe of its plugin plays: a generator or discriminator with a partner, or a game."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import tomlkit

from ganzoo.dry_run import dry_run
from ganzoo.errors import PluginError, RecipeError
from ganzoo.interfaces import DatasetInfo
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.testing.checks import Failure, NotChecked
from ganzoo.testing.scene import Scene, labelled
from ganzoo.testing.subject import Subject

OTHER = {"generator": "discriminator", "discriminator": "generator"}

BUDGET = {"steps": 1, "batch_size": 4, "samples": 4}


class Duet:
    """A two-player recipe around one network, written into a folder that lasts as long as this object."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def path(self) -> Path:
        """The recipe's file. Raises: NotChecked where no partner fits."""
        return self._found[0]

    def info(self) -> DatasetInfo:
        """Of the data that it is for."""
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[Path, DatasetInfo]:
        info = labelled(self.subject.network.shape)
        for partner in self._partners():
            path = self._write(partner)
            try:
                dry_run(read_recipe(path), info)
            except RecipeError:
                continue
            return path, info
        other = OTHER[self.subject.entry.shelf]
        raise NotChecked(f"no installed {other} fits it, and no recipe of its plugin plays it", blocks=True)

    def _partners(self) -> Iterator[Entry]:
        """The other side's networks, the same plugin's first."""
        others = zoo().entries(OTHER[self.subject.entry.shelf])
        yield from sorted(others, key=lambda entry: entry.plugin != self.subject.entry.plugin)

    def _write(self, partner: Entry) -> Path:
        path = Path(self._folder.name) / f"{self.subject.entry.name}.toml"
        tables: Mapping[str, Any] = {
            self.subject.entry.shelf: {"name": full_name(self.subject.entry), **self._given()},
            partner.shelf: {"name": full_name(partner)},
            "loss": {"name": "non-saturating"},
            "dataset": {"name": "gaussians"},  # never loaded: the description is `info`
            "optimizer": {player: {"name": "adam"} for player in OTHER},
            "train": BUDGET,
        }
        path.write_text(tomlkit.dumps(tables), encoding="utf-8")
        return path

    def _given(self) -> Mapping[str, Any]:
        """Options that have no default."""
        required = (name for name, option in self.subject.options.items() if option.required)
        return {name: self.subject.choice.options[name] for name in required}

    @cached_property
    def _folder(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory()


class Borrowed:
    """For a game, or what two players cannot play: whichever installed recipe has it."""

    def __init__(self, subject: Subject, recipe: Entry | None) -> None:
        self.subject = subject
        self.recipe = recipe

    def path(self) -> Path:
        """The recipe's file. Raises: Failure where there is none."""
        if self.recipe is None and self.subject.entry.shelf != "game":
            raise NotChecked("it makes samples from samples, and no installed recipe plays it", blocks=True)
        if self.recipe is None:
            raise Failure("no installed recipe plays it.", "ship a recipe that does, on the shelf `recipe`.")
        return zoo().recipe_path(self.recipe)


def duet(subject: Subject, recipe: Entry | None) -> Scene:
    """The scene in which something is played that its own plugin's recipes leave out. recipe: any that plays it."""
    if subject.entry.shelf == "game" or is_translator(subject):
        return Scene(Borrowed(subject, recipe).path, subject.entry.distribution)
    made = Duet(subject)
    return Scene(made.path, subject.entry.distribution, made.info)


def is_translator(subject: Subject) -> bool:
    """Whether it makes samples from samples, as far as its options can be read; the engine knows one the same way."""
    try:
        return "input_shape" in subject.options
    except PluginError:  # its own check says so
        return False


def full_name(entry: Entry) -> str:
    """The name that means this one whatever else is installed: "plugin:name"."""
    return f"{entry.plugin}:{entry.name}"
