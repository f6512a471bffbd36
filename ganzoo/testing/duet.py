"""A small recipe for what no recipe of its plugin plays: a generator or discriminator with a partner, or a game."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import tomlkit

from ganzoo.dry_run import dry_run
from ganzoo.errors import RecipeError
from ganzoo.interfaces import DatasetInfo
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe import read_recipe
from ganzoo.testing.checks import Failure, NotChecked
from ganzoo.testing.scene import Scene
from ganzoo.testing.subject import N_CLASSES, Network, Subject, takes_latents

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
        network = self.subject.network
        if self.subject.entry.shelf == "generator" and not takes_latents(network.build()):
            raise NotChecked("it is no player of the two-player game; no recipe of its plugin plays it")
        info = data_for(network)
        for partner in self._partners():
            path = self._write(partner)
            try:
                dry_run(read_recipe(path), info)
            except RecipeError:
                continue
            return path, info
        raise NotChecked(f"no installed {OTHER[self.subject.entry.shelf]} plays with it, and no recipe of its plugin")

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
    """For a game: whichever installed recipe plays it."""

    def __init__(self, subject: Subject, recipe: Entry | None) -> None:
        self.subject = subject
        self.recipe = recipe

    def path(self) -> Path:
        """The recipe's file. Raises: Failure where there is none."""
        if self.recipe is None:
            raise Failure("no installed recipe plays it.", "ship a recipe that does, on the shelf `recipe`.")
        return zoo().recipe_path(self.recipe)


def duet(subject: Subject, recipe: Entry | None) -> Scene:
    """The scene in which something is played that its own plugin's recipes leave out. recipe: any that plays it."""
    if subject.entry.shelf == "game":
        return Scene(Borrowed(subject, recipe).path)
    made = Duet(subject)
    return Scene(made.path, made.info)


def full_name(entry: Entry) -> str:
    """The name that means this one whatever else is installed: "plugin:name"."""
    return f"{entry.plugin}:{entry.name}"


def data_for(network: Network) -> DatasetInfo:
    """A description of data that a network accepts."""
    kind: Any = "images" if len(network.shape) > 1 else "points"
    classes = tuple(map(str, range(N_CLASSES)))
    return DatasetInfo(sample_shape=network.shape, size=100, classes=classes, gives=("image", "label"), kind=kind)
