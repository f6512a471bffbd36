"""From what was written to a `Recipe`: every table checked against the component it names, every error at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from annotated_types import Gt

from ganzoo import __version__
from ganzoo.errors import PluginError, Problem, RecipeError
from ganzoo.plugins import Entry, zoo
from ganzoo.recipe.check import check
from ganzoo.recipe.consistency import Inconsistency, check_budget, check_evaluate, check_start, check_stop
from ganzoo.recipe.keys import Key, format_key
from ganzoo.recipe.messages import describe_value, did_you_mean
from ganzoo.recipe.model import Choice, Ema, Evaluate, Origin, Recipe, Start, Stop, Train
from ganzoo.recipe.namesakes import Remembered, engines, of_distribution
from ganzoo.recipe.options import Option, options_of
from ganzoo.recipe.overrides import apply_overrides
from ganzoo.recipe.source import Source, find_recipe, merge_sources, read_source

TABLES = (
    "game",
    "generator",
    "discriminator",
    "loss",
    "regularizer",
    "augment",
    "dataset",
    "optimizer",
    "schedule",
    "start",
    "ema",
    "evaluate",
    "train",
)
PARTS = ("description", *TABLES, "extends", "unset")
ENGINE = Origin(f"default of ganzoo {__version__}", is_default=True)
DATA = Origin("filled in from the data")

MAX_COMPONENTS = 64
"""The most tables of an array, such as [[regularizer]], and the most players or metrics."""

CLIP_NORM = {"clip_norm": Option("clip_norm", Annotated[float, Gt(0)] | None, None)}
"""The engine's own key in an [optimizer.PLAYER] table, whatever the optimizer: see `core.gradient_clipping`."""


def read_recipe(
    source: str | Path,
    *,
    layers: Sequence[Source] = (),
    unset: Sequence[str] = (),
    overrides: Sequence[str] = (),
    settings: Mapping[str, tuple[Any, str]] | None = None,
    remembered: Remembered | None = None,
) -> Recipe:
    """Reads and checks a recipe.

    source: a path, or an installed recipe's name. layers: parts of recipes on top of it, as if each extended the last.
    unset: keys that are taken out of all that, as --unset takes them.
    overrides: "KEY=VALUE" strings, as --set takes them, on top of what is left.
    settings: key path -> (value, where it is from), for flags and keyword arguments; they win over everything.
    remembered: for a run's recipe.toml, the components that the run was made with. An option that such a recipe lacks
    did not exist when the run was made: it has the value in the component's `defaults_of_older_runs`, if there is one.
    Raises: RecipeError with everything that is wrong, each with its place.
    """
    path = find_recipe(source)
    below = reduce(merge_sources, layers, read_source(path))
    written, problems = apply_overrides(below, unset=unset, overrides=overrides, settings=settings)
    return Resolution(path, written, problems, remembered).recipe()


class Resolution:
    """The work of checking one recipe; collects what is wrong as it goes. remembered: see `read_recipe`."""

    def __init__(
        self, path: Path, source: Source, problems: Sequence[Problem] = (), remembered: Remembered | None = None
    ) -> None:
        self.path = path
        self.remembered = remembered
        self.source = source
        self.problems = [*source.problems, *problems]
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}

    def recipe(self) -> Recipe:
        """The recipe. Raises: RecipeError."""
        for name in self.source.values:
            self._check_name(name)
        description = self._description()
        game = self.component(("game",), "game", default={"name": "two-player"})
        generator, discriminator, loss = (self.component((t,), t) for t in ("generator", "discriminator", "loss"))
        regularizers = self.components("regularizer", "regularizer")
        augmentations = self.components("augment", "augmentation")
        dataset, fallback = self.dataset()
        optimizers = self.by_player("optimizer")
        if "optimizer" not in self.source.values:
            self._missing("optimizer", 'For each player a table, say [optimizer.generator] and name = "adam".')
        schedules = self.by_player("schedule")
        start = self.start()
        ema = self.settings(("ema",), Ema) if "ema" in self.source.values else None
        train = self.train()
        evaluate = self.evaluate(train)
        if self.problems or game is None or dataset is None or train is None:
            raise RecipeError(sorted(self.problems, key=self._in_file))
        return Recipe(
            name=self.path.stem,
            description=description,
            game=game,
            generator=generator,
            discriminator=discriminator,
            loss=loss,
            regularizers=regularizers,
            augmentations=augmentations,
            dataset=dataset,
            fallback=fallback,
            optimizers={player: without(choice, CLIP_NORM) for player, choice in optimizers.items()},
            schedules=schedules,
            clip_norms={
                player: norm for player, one in optimizers.items() if (norm := one.options["clip_norm"]) is not None
            },
            start=start,
            ema=ema,
            train=train,
            evaluate=evaluate,
            values=self.values,
            origins=self.origins,
            places={format_key(key): place for key, place in self.source.places.items()},
            file=str(self.path),
        )

    def component(
        self,
        key: Key,
        shelf: str,
        *,
        default: Mapping[str, Any] | None = None,
        engine: Mapping[str, Option] = MappingProxyType({}),
    ) -> Choice | None:
        """The choice that the table at `key` makes from a shelf; None where there is no table, or it is wrong.

        engine: keys of the engine's own in such a table, which the choice has among its options.
        """
        table = self.source.get(key)
        table = default if table is None else table
        if table is None:
            return None
        if not isinstance(table, dict):
            self._wrong(
                key,
                f"{format_key(key)} should be a table; found {describe_value(table)}.",
                f'[{format_key(key)}], name = "..."',
            )
            return None
        name = table.get("name", default and default["name"])
        if not isinstance(name, str):
            self._nameless(key, shelf, table)
            return None
        try:
            entry, name = self._find(key, shelf, name)
            owner = f'{shelf} "{entry.name}" of {entry.distribution} {entry.version}'
            target = zoo().resolve(entry)
            options = {**options_of(target, shelf=shelf, owner=owner), **engine}
            given = {option: value for option, value in table.items() if option != "name"}
            given = {**self.before(target), **given}
            checked = check(given, options, key=key, place=self.source.place, owner=f'{shelf} "{entry.name}"')
        except PluginError as error:
            self._wrong((*key, "name"), f"{format_key((*key, 'name'))}: {error.what}", error.remedy)
            return None
        self.problems += checked.problems
        if checked.problems:
            return None
        filled = tuple(option.name for option in options.values() if option.from_data and option.name not in given)
        self._keep(key, {"name": name, **checked.written}, _default_of(entry))
        self.origins.update({format_key((*key, option)): DATA for option in filled})
        return Choice(format_key(key), entry, checked.values, filled)

    def _find(self, key: Key, shelf: str, name: str) -> tuple[Entry, str]:
        """The entry that a name at a table's key means, and the name that says so to whoever reads the saved recipe.

        Where plugins share the name, it depends on the file that it is written in. Raises: PluginError.
        """
        place = self.source.place((*key, "name"))
        file = place.rpartition(":")[0] if place.rpartition(":")[2].isdecimal() else ""
        written = "name" in (self.source.get(key) or {})
        remembered = self.remembered
        if remembered and file == self.source.file:
            return zoo().find(shelf, name, prefer=lambda found: remembered.choose(format_key(key), found)), name

        def prefer(found: Sequence[Entry]) -> Entry | None:
            if not written:
                return engines(found)
            shipped = zoo().recipe_distribution(Path(file)) if file else ""
            return of_distribution(shipped, found) if shipped else None

        entry = zoo().find(shelf, name, prefer=prefer)
        return entry, name if ":" in name or remembered else zoo().qualified_name(entry)

    def components(self, table: str, shelf: str) -> tuple[Choice, ...]:
        """The choices that an array of tables makes from a shelf, in order: [[regularizer]], [[augment]]."""
        tables = self.source.values.get(table, [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
            what = f"{table} should be an array of tables; found {describe_value(tables)}."
            self._wrong((table,), what, f"Write [[{table}]], with two brackets.")
            return ()
        if not self._are_few((table,), tables):
            return ()
        choices = [self.component((table, number), shelf) for number in range(len(tables))]
        return tuple(choice for choice in choices if choice)

    def dataset(self) -> tuple[Choice | None, Choice | None]:
        """The [dataset] table, and the data set that its `fallback` names or is a table for."""
        table = self.source.values.get("dataset")
        if table is None:
            self._missing("dataset", 'Say which data: [dataset] and name = "mnist".')
            return None, None
        if not isinstance(table, dict) or "fallback" not in table:
            return self.component(("dataset",), "dataset"), None
        fallback = table["fallback"]
        if not isinstance(fallback, str | dict):
            what = "dataset.fallback should be a data set's name, or a table with a name"
            what = f"{what}; found {describe_value(fallback)}."
            self._wrong(("dataset", "fallback"), what, 'Write fallback = "glyphs".')
        self.source.values["dataset"] = {name: value for name, value in table.items() if name != "fallback"}
        choice = self.component(("dataset",), "dataset")
        if not isinstance(fallback, str | dict):
            return choice, None
        whole = {"name": fallback} if isinstance(fallback, str) else fallback
        self.source.values["dataset"] = {**table, "fallback": whole}
        return choice, self.component(("dataset", "fallback"), "dataset")

    def by_player(self, shelf: str) -> dict[str, Choice]:
        """The [optimizer.PLAYER] or [schedule.PLAYER] tables."""
        tables = self.source.values.get(shelf, {})
        if not isinstance(tables, dict):
            what = f"{shelf} should be a table for each player; found {describe_value(tables)}."
            self._wrong((shelf,), what, f"Write [{shelf}.generator], say.")
            return {}
        choices: dict[str, Choice] = {}
        if not self._are_few((shelf,), tables):
            return choices
        for player, table in tables.items():
            if not isinstance(table, dict):
                what = f"{format_key((shelf, player))} should be a table, for a player; found {describe_value(table)}."
                self._wrong((shelf, player), what, f"Each player has its own: write [{shelf}.generator], say.")
            elif choice := self.component((shelf, player), shelf, engine=CLIP_NORM if shelf == "optimizer" else {}):
                choices[player] = choice
        return choices

    def settings(
        self,
        key: Key,
        kind: type,
        *,
        without: Collection[str] = (),
        written_as: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        """A table of the engine's own, such as [ema], checked against its dataclass; None where it is wrong.

        written_as: the fields of the dataclass whose keys in a recipe have another name.
        """
        table = self.source.get(key)
        if not isinstance(table, dict):
            self._wrong(
                key,
                f"{format_key(key)} should be a table; found {describe_value(table)}.",
                f"Write [{format_key(key)}].",
            )
            return None
        given = {name: value for name, value in table.items() if name not in without}
        given = {**self.before(kind), **given}
        known = options_of(kind, owner=format_key(key))
        fields = {written_as.get(name, name): name for name in known if name not in without}
        options = {name: replace(known[field_name], name=name) for name, field_name in fields.items()}
        checked = check(given, options, key=key, place=self.source.place, owner=f"[{format_key(key)}]")
        self.problems += checked.problems
        if checked.problems:
            return None
        self._keep(key, checked.written, ENGINE)
        return kind(**{fields[name]: value for name, value in checked.values.items()})

    def before(self, target: Any) -> Mapping[str, Any]:
        """What options that a run's recipe does not have are for that run: the behaviour from before they existed."""
        return getattr(target, "defaults_of_older_runs", {}) if self.remembered else {}

    def start(self) -> Start | None:
        """The [start] table."""
        if "start" not in self.source.values:
            return None
        start: Start | None = self.settings(("start",), Start, written_as={"source": "from"})
        if start:
            self._add_inconsistencies(check_start(start))
        return start

    def train(self) -> Train | None:
        """The [train] table with its [train.stop]."""
        if "train" not in self.source.values:
            self._missing("train", "Say how long: [train] and epochs = 10, or steps = 20000.")
            return None
        train: Train | None = self.settings(("train",), Train, without=("stop",))
        table = self.source.values["train"]
        if isinstance(table, dict):
            self._add_inconsistencies(check_budget(table, self.source.place))
            if "stop" in table:
                stop: Stop | None = self.settings(("train", "stop"), Stop)
                if stop:
                    self._add_inconsistencies(check_stop(stop))
                return train and replace(train, stop=stop)
        return train

    def evaluate(self, train: Train | None) -> Evaluate | None:
        """The [evaluate] table with the metrics and the extractor that it names."""
        if "evaluate" not in self.source.values:
            return None
        evaluate: Evaluate | None = self.settings(("evaluate",), Evaluate, without=("metrics", "extractor", "scores"))
        table = self.source.values["evaluate"]
        if not isinstance(table, dict):
            return None
        metrics = table.get("metrics", [])
        if not isinstance(metrics, list) or not metrics or not all(isinstance(one, str | dict) for one in metrics):
            what = "evaluate.metrics should be a list of metrics' names, or of tables with a name"
            self._wrong(
                ("evaluate", "metrics"), f"{what}; found {describe_value(metrics)}.", 'Write metrics = ["fid"].'
            )
            return None
        if not self._are_few(("evaluate", "metrics"), metrics):
            return None
        whole = {**table, "metrics": [named(one) for one in metrics]}
        if isinstance(table.get("extractor"), str):
            whole["extractor"] = named(table["extractor"])
        self.source.values["evaluate"] = whole
        chosen = [self.component(("evaluate", "metrics", number), "metric") for number in range(len(metrics))]
        extractor = self.component(("evaluate", "extractor"), "extractor")
        if evaluate is None or None in chosen:
            return None
        kept = tuple(one for one in chosen if one)
        scores = tuple(name for one in kept for name in getattr(zoo().resolve(one.entry), "gives", ()))
        evaluate = replace(evaluate, metrics=kept, extractor=extractor, scores=scores)
        self._add_inconsistencies(check_evaluate(evaluate, train))
        return evaluate

    def _description(self) -> str:
        description = self.source.values.get("description", "")
        if not isinstance(description, str | list | dict):
            description = getattr(self.source.place(("description",)), "text", description)  # of --set: as it was typed
        if not isinstance(description, str):
            self._wrong(
                ("description",),
                f"description should be text; found {describe_value(description)}.",
                "Put it in quotes.",
            )
            return ""
        self.values["description"] = description
        self._note(("description",), ENGINE)
        return description

    def _are_few(self, key: Key, components: Collection[Any]) -> bool:
        """Reports more components than MAX_COMPONENTS, each of which takes time to check; True if there are fewer."""
        if len(components) > MAX_COMPONENTS:
            what = f"{format_key(key)} should have at most {MAX_COMPONENTS} components; found {len(components):,}."
            self._wrong(key, what)
        return len(components) <= MAX_COMPONENTS

    def _nameless(self, key: Key, shelf: str, table: Mapping[str, Any]) -> None:
        names = ", ".join(entry.name for entry in zoo().entries(shelf))
        remedy = f"There are: {names}." if names else ""
        near = next((other for other in table if get_close_matches("name", [other.lower()])), None)
        if "name" in table:
            what = (
                f"{format_key((*key, 'name'))} should be the name of a {shelf}; found {describe_value(table['name'])}."
            )
            self._wrong((*key, "name"), what, remedy)
        elif near is not None:
            self._wrong(
                (*key, near), f"{format_key((*key, near))} should perhaps be {format_key((*key, 'name'))}.", remedy
            )
        else:
            self._wrong(key, f"{format_key(key)} has no name.", remedy)

    def _check_name(self, name: str) -> None:
        if name not in PARTS:
            what = f"{format_key((name,))} is not part of a recipe."
            self._wrong((name,), what, f"{did_you_mean(name, PARTS)}A recipe has: {', '.join(PARTS)}.")

    def _keep(self, key: Key, written: Mapping[str, Any], default: Origin) -> None:
        """Puts a table's effective values into the whole, and notes where each is from."""
        holder: Any = self.values
        for part, following in zip(key, (*key[1:], None), strict=True):
            empty: Any = [] if isinstance(following, int) else {}
            if isinstance(part, int):  # an array of tables, which is filled in order
                holder.append(empty)
                holder = holder[-1]
            else:
                holder = holder.setdefault(part, empty)
        holder.update(written)
        for name in written:
            self._note((*key, name), default)

    def _note(self, key: Key, default: Origin) -> None:
        self.origins[format_key(key)] = default if self.source.get(key) is None else Origin(self.source.place(key))

    def _wrong(self, key: Key, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(self.source.place(key), what, remedy))

    def _add_inconsistencies(self, inconsistencies: Iterable[Inconsistency]) -> None:
        for inconsistency in inconsistencies:
            self._wrong(*inconsistency)

    def _missing(self, table: str, remedy: str) -> None:
        self.problems.append(Problem(self.source.file, f"there is no [{table}] table.", remedy))

    def _in_file(self, problem: Problem) -> tuple[str, int]:
        """Problems in the order of the file's lines, those of the command line after them."""
        file, _, line = problem.where.rpartition(":")
        return (f" {file}", int(line)) if line.isdecimal() else (problem.where, 0)


def named(written: str | dict[str, Any]) -> dict[str, Any]:
    """A component that is written as its name alone, as the table that it stands for."""
    return {"name": written} if isinstance(written, str) else written


def without(choice: Choice, names: Collection[str]) -> Choice:
    """A choice without some of its options."""
    return replace(choice, options={name: value for name, value in choice.options.items() if name not in names})


def _default_of(entry: Entry) -> Origin:
    return Origin(f"default of {entry.distribution} {entry.version}", is_default=True)
