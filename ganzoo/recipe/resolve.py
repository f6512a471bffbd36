"""From what was written to a `Recipe`: every table checked against the component it names, every error at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzoo import __version__
from ganzoo.errors import PluginError, Problem, RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe.model import Choice, Ema, Origin, Recipe, Stop, Train
from ganzoo.recipe.options import FROM_DATA, check, describe, options_of, shown
from ganzoo.recipe.source import Source, find_recipe, layer, put, put_inside, read_overrides, read_source

TABLES = (
    "description",
    "game",
    "generator",
    "discriminator",
    "loss",
    "regularizer",
    "dataset",
    "optimizer",
    "schedule",
    "ema",
    "train",
)
LATER = {"augment": "data augmentation", "evaluate": "evaluation during training"}
ENGINE = Origin(f"default of ganzoo {__version__}")
DATA = Origin("filled in from the data")


def read_recipe(
    source: str | Path,
    *,
    overrides: Sequence[str] = (),
    settings: Mapping[str, tuple[Any, str]] | None = None,
) -> Recipe:
    """Reads and checks a recipe.

    source: a path, or an installed recipe's name. overrides: "KEY=VALUE" strings, as --set takes them.
    settings: key path -> (value, where it is from), for flags and keyword arguments; they win over everything.
    Raises: RecipeError with everything that is wrong, each with its place.
    """
    path = find_recipe(source)
    written = read_source(path)
    above, inside, problems = read_overrides(overrides)
    written = layer(written, above)
    flags = Source()
    for key, (value, where) in (settings or {}).items():
        flags.places[key] = where
        try:
            put(flags.values, key, value)
        except (KeyError, TypeError):
            problems.append(Problem(where, f"{key} goes into something that is not a table."))
    if isinstance(train := written.values.get("train"), dict):
        for key, other in (("epochs", "steps"), ("steps", "epochs")):  # a flag for one takes the other's place
            if any(f"train.{key}" in layer_.places for layer_ in (flags, above)) and f"train.{other}" not in {**flags.places, **above.places}:
                written.values["train"] = train = {name: value for name, value in train.items() if name != other}
    written = layer(written, flags)
    for key, value in inside.items():
        written.places[key] = above.places[key]
        try:
            put_inside(written.values, key, value)
        except (KeyError, IndexError, TypeError):
            problems.append(Problem(above.places[key], f"{key}: the recipe has no such place."))
    return Resolution(path.stem, written, problems).recipe()


class Resolution:
    """The work of checking one recipe; collects what is wrong as it goes."""

    def __init__(self, name: str, source: Source, problems: list[Problem]) -> None:
        self.name = name
        self.source = source
        self.problems = problems
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}

    def recipe(self) -> Recipe:
        """The recipe. Raises: RecipeError."""
        written = self.source.values
        for key in written:
            self._check_top(key)
        description = written.get("description", "")
        if not isinstance(description, str):
            self._wrong("description", f"description should be text, and is {shown(description)}.")
        self.values["description"] = description
        self._note("description", ENGINE)
        game = self.component("game", "game", default={"name": "two-player"})
        generator, discriminator, loss = (self.component(t, t) for t in ("generator", "discriminator", "loss"))
        regularizers = self.regularizers()
        dataset, fallback = self.dataset()
        optimizers = self.by_player("optimizer")
        schedules = self.by_player("schedule")
        if not optimizers and "optimizer" not in written:
            self._wrong("", "there is no [optimizer.PLAYER] table.", "For the two-player game: [optimizer.generator], [optimizer.discriminator].")
        ema = self.settings("ema", Ema) if "ema" in written else None
        train = self.train()
        if self.problems or game is None or dataset is None or train is None:
            raise RecipeError(self.problems)
        return Recipe(
            name=self.name,
            description=description,
            game=game,
            generator=generator,
            discriminator=discriminator,
            loss=loss,
            regularizers=tuple(regularizers),
            dataset=dataset,
            fallback=fallback,
            optimizers=optimizers,
            schedules=schedules,
            ema=ema,
            train=train,
            values=self.values,
            origins=self.origins,
        )

    def component(self, path: str, shelf: str, *, default: Mapping[str, Any] | None = None) -> Choice | None:
        """The choice that the table at `path` makes from a shelf; None where there is no table, or it is wrong."""
        table = self._at(path)
        if table is None:
            if default is None:
                return None
            table = default
        if not isinstance(table, dict):
            self._wrong(path, f"{path} should be a table, and is {shown(table)}.", f'Write [{path}] and name = "...".')
            return None
        name = table.get("name", default and default["name"])
        if not isinstance(name, str):
            said = "has no name" if name is None else f"has a name that is not text: {shown(name)}"
            names = ", ".join(entry.name for entry in zoo().entries(shelf)) or "none installed"
            self._wrong(f"{path}.name" if name is not None else path, f"{path} {said}.", f"The shelf holds: {names}.")
            return None
        try:
            entry = zoo().find(shelf, name)
            constructor = zoo().resolve(entry)
            options = options_of(constructor, shelf=shelf, whose=f'{shelf} "{name}" ({entry.distribution})')
        except PluginError as error:
            self._wrong(f"{path}.name", f"{path}.name: {error.what}", error.remedy)
            return None
        given = {key: value for key, value in table.items() if key != "name"}
        values, written, problems = check(given, options, path=path, place=self.source.place, whose=f'{shelf} "{name}"')
        self.problems += problems
        if problems:
            return None
        filled = tuple(key for key in FROM_DATA if key in options and key not in given)
        self._keep(path, {"name": name, **{k: v for k, v in written.items() if k not in filled}}, _default_of(entry))
        for key in filled:
            self.origins[f"{path}.{key}"] = DATA
        return Choice(path, entry, {k: v for k, v in values.items() if k not in filled}, filled)

    def regularizers(self) -> list[Choice]:
        """The [[regularizer]] tables, in order."""
        tables = self.source.values.get("regularizer", [])
        if not isinstance(tables, list):
            self._wrong("regularizer", "regularizer should be an array of tables.", "Write [[regularizer]], with two brackets.")
            return []
        if tables:
            self.values["regularizer"] = []
        choices = [self.component(f"regularizer[{number}]", "regularizer") for number in range(len(tables))]
        return [choice for choice in choices if choice]

    def dataset(self) -> tuple[Choice | None, Choice | None]:
        """The [dataset] table, and the data set that its `fallback` names."""
        table = self.source.values.get("dataset")
        if table is None:
            self._wrong("", "there is no [dataset] table.", 'For example: [dataset] and name = "mnist".')
            return None, None
        if not isinstance(table, dict) or "fallback" not in table:
            return self.component("dataset", "dataset"), None
        fallback = table["fallback"]
        values = self.source.values["dataset"] = dict(table)
        values["fallback"] = {"name": fallback} if isinstance(fallback, str) else fallback
        del values["fallback"]
        choice = self.component("dataset", "dataset")
        values["fallback"] = {"name": fallback} if isinstance(fallback, str) else fallback
        if "dataset" not in self.values:
            self.values["dataset"] = {}
        return choice, self.component("dataset.fallback", "dataset")

    def by_player(self, shelf: str) -> dict[str, Choice]:
        """The [optimizer.PLAYER] or [schedule.PLAYER] tables."""
        tables = self.source.values.get(shelf, {})
        if not isinstance(tables, dict):
            self._wrong(shelf, f"{shelf} should be a table for each player.", f"Write [{shelf}.generator], say.")
            return {}
        self.values.setdefault(shelf, {}) if tables else None
        choices = {}
        for player, table in tables.items():
            if not isinstance(table, dict):
                self._wrong(f"{shelf}.{player}", f"{shelf}.{player} should be a table for a player, and is {shown(table)}.", f"Write [{shelf}.generator] and put {player} there.")
                continue
            choice = self.component(f"{shelf}.{player}", shelf)
            if choice:
                choices[player] = choice
        return choices

    def settings(self, path: str, kind: type) -> Any:
        """A table of the engine's own, such as [ema], checked against the fields of its dataclass."""
        table = self._at(path) or {}
        if not isinstance(table, dict):
            self._wrong(path, f"{path} should be a table, and is {shown(table)}.")
            return None
        given = {key: value for key, value in table.items() if not (kind is Train and key == "stop")}
        options = {name: option for name, option in options_of(kind).items() if name != "stop"}
        values, written, problems = check(given, options, path=path, place=self.source.place, whose=f"[{path}]")
        self.problems += problems
        if problems:
            return None
        self._keep(path, written, ENGINE)
        return kind(**values)

    def train(self) -> Train | None:
        """The [train] table with its [train.stop]."""
        if "train" not in self.source.values:
            self._wrong("", "there is no [train] table.", "Write [train] and epochs = 10, say.")
            return None
        train: Train | None = self.settings("train", Train)
        table = self.source.values["train"]
        stop: Stop | None = None
        if isinstance(table, dict) and "stop" in table:
            stop = self.settings("train.stop", Stop)
            if stop and stop.metric is None and (stop.target is not None or stop.patience is not None):
                self._wrong("train.stop", "train.stop has a target or patience and no metric.", 'Write metric = "loss/generator", say.')
            if stop and stop.metric and stop.target is None and stop.patience is None:
                self._wrong("train.stop.metric", "train.stop.metric does nothing by itself.", "Add target or patience.")
        if train is None:
            return None
        if (train.epochs is None) == (train.steps is None):
            said = "has both epochs and steps" if train.epochs else "has neither epochs nor steps"
            self._wrong("train.steps" if train.epochs else "train", f"train {said}.", "Give one: epochs = 100 or steps = 20000.")
        from dataclasses import replace

        return replace(train, stop=stop)

    def _check_top(self, key: str) -> None:
        if key in LATER:
            self._wrong(key, f"[{key}]: this version of ganzoo has no {LATER[key]} yet.", "Take the table out.")
        elif key not in TABLES:
            close = difflib.get_close_matches(key, TABLES, n=1, cutoff=0.5)
            said = f"Did you mean {close[0]}? " if close else ""
            self._wrong(key, f"{key} is not part of a recipe.", f"{said}A recipe has: {', '.join(TABLES)}, extends.")

    def _at(self, path: str) -> Any:
        value: Any = self.source.values
        for part in path.replace("[", ".").replace("]", "").split("."):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (KeyError, TypeError, IndexError):
                return None
        return value

    def _keep(self, path: str, written: Mapping[str, Any], default: Origin) -> None:
        """Puts a table's effective values into the whole, and notes where each is from."""
        holder: Any = self.values
        *parents, last = path.replace("[", ".").replace("]", "").split(".")
        for part in parents:
            holder = holder[part] if isinstance(holder, list) else holder.setdefault(part, {})
        if isinstance(holder, list):
            holder.append(dict(written))
        elif isinstance(holder.get(last), dict):
            holder[last] = {**written, **holder[last]}
        else:
            holder[last] = dict(written)
        for key in written:
            self._note(f"{path}.{key}", default)

    def _note(self, path: str, default: Origin) -> None:
        exact = self.source.places.get(path)
        given = self._at(path) is not None
        self.origins[path] = Origin(exact or self.source.place(path)) if exact or given else default

    def _wrong(self, path: str, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(self.source.place(path) if path else self.source.file, what, remedy))


def _default_of(entry: Entry) -> Origin:
    return Origin(f"default of {entry.distribution} {entry.version}")


__all__ = ["describe", "read_recipe"]
