"""Reads a suite's file into a `Suite`: checks every key, reads every entry's recipe, reports all errors at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem, RecipeError
from ganzoo.evaluation.suites.lookup import find_suite
from ganzoo.evaluation.suites.suite import ENDLESS, Budget, Entry, Header, Scoring, Suite
from ganzoo.plugins import zoo
from ganzoo.recipe import read_recipe
from ganzoo.recipe.check import check
from ganzoo.recipe.keys import Key, format_key
from ganzoo.recipe.messages import describe_value, did_you_mean
from ganzoo.recipe.model import Choice, Recipe
from ganzoo.recipe.options import options_of
from ganzoo.recipe.resolve import MAX_COMPONENTS, Resolution, named
from ganzoo.recipe.source import Source, find_recipe, is_file, is_tables, read_file, read_text

TABLE_NAMES = ("budget", "score", "set", "entry")
ENTRY_KEYS = ("name", "recipe", "steps", "set")
NOT_SETTABLE: Mapping[Key, str] = {
    ("extends",): "extends belongs into a recipe file.",
    ("train", "seed"): "train.seed is what the suite's seeds are.",
}
"""Recipe keys that a suite must not set, with the reason."""

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
MAX_ENTRIES = 256
"""The most entries of a suite, each of which has a recipe to be read."""


def read_suite(source: str | Path, *, steps: int | None = None, seconds: float | None = None) -> Suite:
    """Reads and checks a suite and every recipe in it.

    source: a path, or a shipped suite's name. steps, seconds: a budget for all entries instead of the suite's.
    Raises: RecipeError with all problems and their places.
    """
    path = find_suite(source)
    return SuiteReader(path, read_file(path, "suite"), steps=steps, seconds=seconds).suite()


class SuiteReader:
    """Reads and checks one suite, and collects the problems."""

    def __init__(self, path: Path, source: Source, *, steps: int | None, seconds: float | None) -> None:
        self.path = path
        self.source = source
        self.checker = Resolution(path, source)
        self.steps, self.seconds = steps, seconds

    def suite(self) -> Suite:
        """The suite. Raises: RecipeError."""
        header = self.header()
        budget = self.checker.settings(("budget",), Budget) if "budget" in self.source.values else Budget()
        if budget and budget.steps and budget.seconds:
            self.add_problem(("budget", "seconds"), "budget.steps and budget.seconds are two budgets.", "Keep one.")
        scoring = self.scoring()
        entries = self.entries(budget or Budget(), header.seeds[0] if header else 0)
        if self.checker.problems or header is None or scoring is None:
            raise RecipeError(sorted(self.checker.problems, key=file_position))
        return Suite(
            name=self.path.stem,
            file=self.path,
            text=read_text(self.path, "suite"),
            description=header.description,
            paper=header.paper,
            seeds=header.seeds,
            entries=entries,
            scoring=scoring,
        )

    def header(self) -> Header | None:
        """The keys above the first table."""
        known = options_of(Header, owner="a suite")
        plain = {name: value for name, value in self.source.values.items() if name not in TABLE_NAMES}
        for name in [name for name in plain if name not in known]:
            expected = (*known, *TABLE_NAMES)
            what = f"{format_key((name,))} is not part of a suite."
            self.add_problem((name,), what, f"{did_you_mean(name, expected)}A suite has: {', '.join(expected)}.")
            del plain[name]
        if "seeds" not in plain:
            self.add_problem((), "there are no seeds.", "Write seeds = [0, 1, 2] at the top.")
            return None
        checked = check(plain, known, key=(), place=self.source.place, owner="a suite")
        self.checker.problems += checked.problems
        if checked.problems:
            return None
        header = Header(**checked.values)
        if len(set(header.seeds)) < len(header.seeds):
            self.add_problem(("seeds",), "seeds should be different ones.", "The same seed gives the same run.")
        return header

    def scoring(self) -> Scoring | None:
        """The [score] table with the metrics and the extractor that it names."""
        table = self.source.values.get("score")
        if not isinstance(table, dict):
            self.add_problem(("score",), "there is no [score] table.", 'Write [score] and metrics = ["fid"].')
            return None
        scoring: Scoring | None = self.checker.settings(
            ("score",), Scoring, without=("metrics", "extractor", "written")
        )
        metrics = table.get("metrics", [])
        if not isinstance(metrics, list) or not metrics or not all(isinstance(one, str | dict) for one in metrics):
            what = "score.metrics should be a list of metrics' names, or of tables with a name"
            self.add_problem(
                ("score", "metrics"), f"{what}; found {describe_value(metrics)}.", 'Write metrics = ["fid"].'
            )
            return None
        whole = {**table, "metrics": [named(one) for one in metrics]}
        if "extractor" in table:
            whole["extractor"] = named(table["extractor"])
        self.source.values["score"] = whole
        if len(metrics) > MAX_COMPONENTS:
            self.add_problem(("score", "metrics"), f"score.metrics should be at most {MAX_COMPONENTS} metrics.")
            return None
        choices = [self.checker.component(("score", "metrics", number), "metric") for number in range(len(metrics))]
        extractor = self.checker.component(("score", "extractor"), "extractor")
        metrics_found = tuple(choice for choice in choices if choice)
        if scoring is None or len(metrics_found) < len(metrics):
            return None
        self.check_columns(metrics_found)
        written = {name: self.checker.values["score"].get(name) for name in ("metrics", "extractor")}
        return replace(scoring, metrics=metrics_found, extractor=extractor, written=written)

    def check_columns(self, metrics: Sequence[Choice]) -> None:
        """Reports metrics whose scores have the same names, which would share a column."""
        given: dict[str, str] = {}
        for choice in metrics:
            for name in getattr(zoo().resolve(choice.entry), "gives", ()):
                if given.setdefault(name, choice.table) != choice.table:
                    number = metrics.index(choice)
                    what = f'{choice.table} gives "{name}", and so does {given[name]}.'
                    self.add_problem(("score", "metrics", number), what, "Keep one of them, or write a second suite.")
                    break

    def entries(self, budget: Budget, seed: int) -> tuple[Entry, ...]:
        """The [[entry]] tables, in order."""
        tables = self.source.values.get("entry", [])
        if not is_tables(tables):
            self.add_problem(
                ("entry",),
                "there is no [[entry]].",
                'Write [[entry]] and recipe = "mine.toml", or a name of `ganzoo list recipes`.',
            )
            return ()
        if len(tables) > MAX_ENTRIES:
            what = f"a suite has at most {MAX_ENTRIES} entries; found {len(tables):,}."
            self.add_problem(("entry", MAX_ENTRIES), what, "Write a second suite.")
            return ()
        entries: dict[str, Entry] = {}
        for number, table in enumerate(tables):
            entry = self.entry(("entry", number), table, budget, seed)
            if entry and entry.name in entries:
                what = f'{format_key(("entry", number))}: "{entry.name}" is the name of an entry above.'
                self.add_problem(("entry", number), what, "Give it a name of its own.")
            elif entry:
                entries[entry.name] = entry
        return tuple(entries.values())

    def entry(self, key: Key, table: Mapping[str, Any], budget: Budget, seed: int) -> Entry | None:
        """One [[entry]] table, with its complete recipe; None if it has errors."""
        valid = [
            self.has_known_keys(key, table),
            self.has_type((*key, "recipe"), str, "a recipe's name or file", needed=True),
            self.has_type((*key, "name"), str, "text"),
            self.has_type((*key, "steps"), int, "int, at least 1"),
            self.has_type((*key, "set"), dict, "a table, a part of a recipe"),
            self.has_type(("set",), dict, "a table, a part of a recipe"),
        ]
        if not all(valid):
            return None
        name = table.get("name", Path(table["recipe"]).stem)
        if not FOLDER_NAME.fullmatch(name):
            found = describe_value(name)
            what = (
                f"{format_key((*key, 'name'))} should be letters, digits and - _ . + only, at most 100; found {found}."
            )
            self.add_problem((*key, "name"), what, "Runs lie in folders of that name.")
            return None
        if budget.seconds and "steps" in table:
            what = f"{format_key((*key, 'steps'))} and budget.seconds are two budgets."
            self.add_problem((*key, "steps"), what, "Keep one for all entries.")
            return None
        recipe = self.recipe(key, table["recipe"], self.budget(key, table, budget, seed))
        if recipe is None:
            return None
        return Entry(name=name, source=table["recipe"], recipe=recipe, place=self.source.place(key))

    def budget(self, key: Key, table: Mapping[str, Any], budget: Budget, seed: int) -> dict[str, tuple[Any, str]]:
        """An entry's training budget, as settings of its recipe."""
        settings: dict[str, tuple[Any, str]] = {"train.seed": (seed, self.source.place(("seeds",)))}
        steps, seconds = self.steps, self.seconds
        where = f"--steps {steps}" if steps else f"--seconds {seconds}"
        if steps is None and seconds is None:
            steps, seconds = table.get("steps", budget.steps), budget.seconds
            where = self.source.place((*key, "steps") if "steps" in table else ("budget",))
        if steps is not None or seconds is not None:
            settings["train.steps"] = (ENDLESS if steps is None else steps, where)
        if seconds is not None:
            settings["train.stop.seconds"] = (float(seconds), where)
        return settings

    def recipe(self, key: Key, name: str, settings: Mapping[str, tuple[Any, str]]) -> Recipe | None:
        """The recipe that an entry names, with the settings of the suite and the entry applied."""
        layers = [self.source.subtable(("set",)), self.source.subtable((*key, "set"))]
        for above in layers:
            for inside, what in NOT_SETTABLE.items():
                if above.get(inside) is not None:
                    self.checker.problems.append(Problem(above.place(inside), what, "Take it out."))
                    return None
        relative = self.path.parent / name
        try:
            path = relative if is_file(relative) else find_recipe(name)
            return read_recipe(path, layers=layers, settings=settings)
        except RecipeError as error:
            self.checker.problems += [self.relocate((*key, "recipe"), name, problem) for problem in error.problems]
            return None

    def relocate(self, key: Key, name: str, problem: Problem) -> Problem:
        """A problem of an entry's recipe: unchanged if it is in the suite's file, else with the place of the entry."""
        if problem.where.startswith((str(self.path), "--")):
            return problem
        what = f'{format_key(key)} = "{name}": {problem.where}: {problem.what}'
        return Problem(self.source.place(key), what, problem.remedy)

    def has_known_keys(self, key: Key, table: Mapping[str, Any]) -> bool:
        """Reports unknown keys of an entry; True if there are none."""
        unknown = [name for name in table if name not in ENTRY_KEYS]
        for name in unknown:
            what = f"{format_key((*key, name))} is not part of an entry."
            self.add_problem(
                (*key, name), what, f"{did_you_mean(name, ENTRY_KEYS)}An entry has: {', '.join(ENTRY_KEYS)}."
            )
        return not unknown

    def has_type(self, key: Key, kind: type, expected: str, *, needed: bool = False) -> bool:
        """Checks the type of the value at a key; True if it is right, or missing and not needed."""
        value = self.source.get(key)
        if value is None:
            if needed:
                what = f"{format_key(key[:-1])} has no {key[-1]}."
                self.add_problem(key[:-1], what, f'Write {key[-1]} = "mine.toml", or a name of `ganzoo list recipes`.')
            return not needed
        right = isinstance(value, kind) and not (isinstance(value, int) and (isinstance(value, bool) or value < 1))
        if not right:
            self.add_problem(key, f"{format_key(key)} should be {expected}; found {describe_value(value)}.")
        return right

    def add_problem(self, key: Key, what: str, remedy: str = "") -> None:
        """Adds one problem."""
        self.checker.problems.append(Problem(self.source.place(key) if key else str(self.path), what, remedy))


def file_position(problem: Problem) -> tuple[str, int]:
    """A sort key: problems in the order of the file's lines."""
    file, _, line = problem.where.rpartition(":")
    return (f" {file}", int(line)) if line.isdecimal() else (problem.where, 0)


def select_entries(suite: Suite, only: Sequence[str]) -> tuple[Entry, ...]:
    """The entries with these names, or all if there are none. Raises: RecipeError for an unknown name."""
    names = [entry.name for entry in suite.entries]
    for name in only:
        if name not in names:
            remedy = f"{did_you_mean(name, names)}Entries: {', '.join(names)}."
            raise RecipeError([Problem(f"--only {name}", f'the suite "{suite.name}" has no such entry.', remedy)])
    return tuple(entry for entry in suite.entries if not only or entry.name in only)
