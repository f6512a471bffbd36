"""Every check of one installed plugin, in the order in which its author would want to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins import Entry, PluginRow, zoo
from ganzoo.plugins.components import SHELVES
from ganzoo.plugins.discovery import normalize_name
from ganzoo.plugins.zoo import suggest_names
from ganzoo.recipe import read_recipe
from ganzoo.testing.augmentations import augmentation_checks
from ganzoo.testing.checks import Check
from ganzoo.testing.commands import command_checks
from ganzoo.testing.datasets import dataset_checks
from ganzoo.testing.discriminators import discriminator_checks
from ganzoo.testing.generators import generator_checks
from ganzoo.testing.kinds import kind_checks
from ganzoo.testing.losses import loss_checks
from ganzoo.testing.metrics import extractor_checks, metric_checks
from ganzoo.testing.optimizers import optimizer_checks, schedule_checks
from ganzoo.testing.options import option_checks
from ganzoo.testing.recipe_fixture import RecipeFixture, recipe_reader
from ganzoo.testing.recipes import play_checks
from ganzoo.testing.registration import registration_checks, shelf_checks
from ganzoo.testing.regularizers import regularizer_checks
from ganzoo.testing.subject import Subject
from ganzoo.testing.two_player_recipe import fixture_for

BY_SHELF: dict[str, Callable[[Subject, list[Check]], Iterator[Check]]] = {
    "generator": generator_checks,
    "discriminator": discriminator_checks,
    "loss": loss_checks,
    "regularizer": regularizer_checks,
    "augmentation": augmentation_checks,
    "optimizer": optimizer_checks,
    "schedule": schedule_checks,
    "dataset": dataset_checks,
    "kind": kind_checks,
    "metric": metric_checks,
    "extractor": extractor_checks,
    "command": command_checks,
}
"""Shelf -> what is asked of a thing on it, beyond what is asked of everything."""

WITHOUT_OPTIONS = ("recipe", "pretrained", "command")
"""Shelves whose things have no constructor that a recipe gives options to."""


def checks_of(plugin: str) -> list[Check]:
    """Every check of an installed plugin.

    plugin: the name of its entry point or of its distribution. Raises: PluginError where there is none such, with the
    nearest name, or where it does not come in, with the cause.
    """
    return [check for row in rows_of(plugin) for check in checks_of_row(row)]


def rows_of(plugin: str) -> list[PluginRow]:
    """The plugins of that name, or of that distribution. Raises: PluginError."""
    rows = zoo().plugins()
    found = [
        row for row in rows if normalize_name(plugin) in (normalize_name(row.name), normalize_name(row.distribution))
    ]
    if not found:
        names = {row.name for row in rows} | {row.distribution for row in rows}
        raise PluginError(f'there is no plugin "{plugin}".', remedy=f"Is it installed? {suggest_names(plugin, names)}")
    for row in found:
        if row.status != "ok":
            raise PluginError(f"the plugin {row} is {row.status}: {row.cause}")
    return found


def checks_of_row(row: PluginRow) -> Iterator[Check]:
    """The plugin's own registration, each of its things in the order of the shelves, and then how they play."""
    yield from registration_checks(row)
    own = [Subject(entry) for shelf in SHELVES for entry in zoo().entries(shelf) if entry.plugin == row.name]
    parts: dict[Key, list[Check]] = {}
    for subject in own:
        exists, described = shelf_checks(subject)
        options = [] if subject.entry.shelf in WITHOUT_OPTIONS else list(option_checks(subject, exists))
        needs = [exists, *options[:2]]
        asked = list(BY_SHELF[subject.entry.shelf](subject, needs)) if subject.entry.shelf in BY_SHELF else []
        parts[key_of(subject.entry)] = [*needs, *asked]
        yield from (exists, described, *options, *asked)
    played = PlayedComponents([subject.entry for subject in own])
    for subject in own:
        if (fixture := fixture_of(subject, played)) is not None:
            keys = played.keys_of(subject.entry)
            yield from play_checks(str(subject), fixture, [one for key in keys or parts for one in parts.get(key, ())])


def fixture_of(subject: Subject, played: PlayedComponents) -> RecipeFixture | None:
    """The fixture of a recipe, or of a component that no recipe of its plugin plays; else None."""
    entry = subject.entry
    if entry.shelf == "recipe":
        return RecipeFixture(recipe_reader(entry), entry.distribution)
    if entry.shelf in ("generator", "discriminator", "game") and key_of(entry) not in played.by_own:
        return fixture_for(subject, played.by_any.get(key_of(entry)))
    return None


Key = tuple[str, str, str]
"""The identity of a component: shelf, plugin, name."""


class PlayedComponents:
    """The components that recipes play: those of a plugin, and all installed ones."""

    def __init__(self, own: Sequence[Entry]) -> None:
        self.by_own = self._first_to_play([entry for entry in own if entry.shelf == "recipe"])

    @cached_property
    def by_any(self) -> Mapping[Key, Entry]:
        """Component -> the first installed recipe that plays it."""
        return self._first_to_play(zoo().entries("recipe"))

    def keys_of(self, recipe: Entry) -> tuple[Key, ...]:
        """The components of a recipe, itself included; empty for other entries, and for recipes that cannot be read."""
        if recipe.shelf != "recipe":
            return ()
        try:
            choices = list(read_recipe(zoo().recipe_path(recipe)).choices())
        except GanzooError:
            return ()
        return (key_of(recipe), *dict.fromkeys(key_of(choice.entry) for choice in choices))

    def _first_to_play(self, recipes: Sequence[Entry]) -> Mapping[Key, Entry]:
        return {key: recipe for recipe in reversed(recipes) for key in self.keys_of(recipe)}


def key_of(entry: Entry) -> Key:
    """The identity of an entry."""
    return entry.shelf, entry.plugin, entry.name
