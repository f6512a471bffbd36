"""Reads recipe files: TOML, the place of every key, and `extends`."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from ganzoo.errors import PluginError, Problem, RecipeError
from ganzoo.plugins import zoo
from ganzoo.recipe.keys import Key, format_key, parse_key
from ganzoo.recipe.lines import key_lines
from ganzoo.recipe.messages import describe_value
from ganzoo.recipe.namesakes import of_distribution
from ganzoo.recipe.plain_file import read_plain_file, size_text
from ganzoo.recipe.structure import MAX_DEPTH, find_excess
from ganzoo.recipe.unset import compact_arrays, deep_copy, missing_key_hint, remove_keys, resolve_key

MAX_BYTES = 1 << 20
"""The largest size of a recipe file in bytes; anything larger is another kind of file."""

MAX_PARENTS = 16
"""The most recipes that extend one another in a row."""

EXCLUSIVE_BUDGETS = ("epochs", "steps")
"""Mutually exclusive keys of [train]: overriding one removes the other."""


UNSET = "unset"
"""The key of a recipe that names what it takes out of the one that it extends."""


TABLES_OF_TABLES = (("optimizer",), ("schedule",))
"""Tables that hold one for each player."""

NAME_ALONE = ("fallback", "extractor")
"""Tables for which a component's name alone may be written."""


@dataclass(slots=True)
class Source:
    """The merged contents of recipe files. values: as parsed; places: of each key ("mine.toml:7").

    problems: tables that were to be replaced by a value, and the other way round; the first one stays.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Key, str] = field(default_factory=dict)
    file: str = ""
    problems: list[Problem] = field(default_factory=list)

    def place(self, key: Key) -> str:
        """The place of a key, or else of the first key inside it, or else of its nearest parent, or else the file."""
        if key not in self.places and key:
            inside = (place for known, place in self.places.items() if known[: len(key)] == key)
            if first := next(inside, None):
                return first
        for length in range(len(key), 0, -1):
            if key[:length] in self.places:
                return self.places[key[:length]]
        return self.file

    def subtable(self, key: Key) -> Source:
        """The table at a key as a source, with the places of its keys."""
        places = {known[len(key) :]: place for known, place in self.places.items() if known[: len(key)] == key}
        return Source(self.get(key) or {}, places, self.place(key))

    def get(self, key: Key) -> Any:
        """The value at a key, or None."""
        value: Any = self.values
        for part in key:
            inside = value if isinstance(value, dict) else range(len(value)) if is_tables(value) else ()
            if part not in inside:
                return None
            value = value[part]
        return value


def is_tables(value: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether a value is an array of tables."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def find_recipe(source: str | Path, *, child: Path | None = None) -> Path:
    """A path unchanged, or the file of an installed recipe by its name ("vanilla_mnist").

    child: the file of the recipe that extends it; see `recipe.namesakes`. Raises: RecipeError.
    """
    path = Path(source)
    if path.suffix.lower() == ".toml" or len(path.parts) != 1 or is_file(path):
        return path
    try:
        shipped = zoo().recipe_distribution(child) if child else ""
        prefer = partial(of_distribution, shipped) if shipped else None
        return zoo().recipe_path(zoo().find("recipe", str(source), prefer=prefer))
    except PluginError as error:
        if os.path.exists(path):  # noqa: PTH110  # ditto
            return path
        what = f"there is no such file, and {error.what}"
        raise RecipeError([Problem(str(source)[:200], what, error.remedy)]) from error


def is_file(path: Path) -> bool:
    """Whether there is such a file; False for a name that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113  # it never raises


def read_source(path: Path, *, children: tuple[Path, ...] = ()) -> Source:
    """Reads a recipe file and merges it with those that it extends.

    children: the files that extend this one, to find cycles. Raises: RecipeError if a file cannot be read or parsed.
    """
    own = read_file(path)
    parent = own.values.pop("extends", None)
    if parent is None:
        if UNSET in own.values:
            what = "unset takes keys out of the recipe that extends names, and there is no extends."
            raise RecipeError([Problem(own.place((UNSET,)), what, "Take out the keys themselves, or write extends.")])
        return own
    where = own.places.pop(("extends",), str(path))
    if not isinstance(parent, str) or not parent.strip():
        what = f"extends should be a recipe's file or name; found {describe_value(parent)}."
        raise RecipeError([Problem(where, what, 'Write extends = "other.toml".')])
    chain = (*children, Path(os.path.realpath(path)))
    try:
        relative = path.parent / parent
        parent_path = (
            relative if is_file(relative) or relative.suffix.lower() == ".toml" else find_recipe(parent, child=path)
        )
        if "\0" in parent:
            raise RecipeError([Problem(where, f"extends = {describe_value(parent)} is no name of a file.")])
        if len(chain) > MAX_PARENTS:
            what = f"extends: more than {MAX_PARENTS} recipes extend one another, one by one."
            raise RecipeError([Problem(where, what, "Write what they say into fewer files.")])
        if Path(os.path.realpath(parent_path)) in chain:
            circle = " -> ".join(file.name for file in (*chain, parent_path))
            raise RecipeError([Problem(where, f'extends = "{parent}" goes round in a circle: {circle}.')])
        below = read_source(parent_path, children=chain)
    except RecipeError as error:
        if error.problems[0].where.startswith(str(path)):
            raise
        first = error.problems[0]
        what = f'extends = "{parent}": {first.where}: {first.what}'
        raise RecipeError([Problem(where, what, first.remedy)]) from error
    return merge_sources(below, own)


def read_file(path: Path, kind: str = "recipe") -> Source:
    """Reads one file, without `extends`. kind: of file, for messages. Raises: RecipeError."""
    text = read_text(path, kind)
    own = Source(_parse(path, text, kind), file=str(path))
    own.places = {key: f"{path}:{line}" for key, line in key_lines(text).items()}
    return own


def merge_sources(below: Source, above: Source) -> Source:
    """`above` on top of `below`: tables merge key by key, everything else is replaced.

    A table that chooses another component (its `name` differs) replaces the whole table: the options were the other's.
    What `above` names in its `unset` is taken out of `below` first. Raises: RecipeError where it is not there.
    """
    whole = Source(dict(below.values), dict(below.places), above.file or below.file)
    problems = [*below.problems, *above.problems]
    if UNSET in above.values:
        whole, above = _unset(below, above)
    budget = above.values.get("train")
    given = [key for key in EXCLUSIVE_BUDGETS if isinstance(budget, dict) and key in budget]
    train = whole.values.get("train")
    if len(given) == 1 and isinstance(train, dict):
        other = next(key for key in EXCLUSIVE_BUDGETS if key not in given)
        whole.values["train"] = {key: value for key, value in train.items() if key != other}
        whole.places.pop(("train", other), None)
    whole.problems = problems
    _merge(whole, whole.values, above, above.values, ())
    return whole


def _unset(below: Source, above: Source) -> tuple[Source, Source]:
    """`below` without what `above` unsets, and `above` without saying so. Raises: RecipeError."""
    where, named = above.place((UNSET,)), above.values[UNSET]
    if not isinstance(named, list) or not all(isinstance(text, str) for text in named):
        what = f"unset should be a list of keys; found {describe_value(named)}."
        raise RecipeError([Problem(where, what, 'Write unset = ["ema", "train.stop"].')])
    values, places = deep_copy(below.values), dict(below.places)
    keys, problems = [], []
    for text in named:
        try:
            keys.append(resolve_key(values, parse_key(text)))
        except ValueError:
            problems.append(Problem(where, f"unset: {describe_value(text)} is not a key of a recipe."))
    for key in remove_keys(values, places, keys):
        what = f"unset: the parent recipe does not set {format_key(key)}."
        problems.append(Problem(where, what, missing_key_hint(below.values, key, "The parent recipe")))
    if problems:
        raise RecipeError(problems)
    whole = Source(values, compact_arrays(values, places, keys), above.file or below.file)
    rest = {name: value for name, value in above.values.items() if name != UNSET}
    return whole, Source(rest, {key: place for key, place in above.places.items() if key[:1] != (UNSET,)}, above.file)


def _merge(whole: Source, values: dict[str, Any], above: Source, table: Mapping[str, Any], at: Key) -> None:
    places = whole.places
    for name, value in table.items():
        key, old = (*at, name), values.get(name)
        if problem := _replaced_table(whole, above, key, old, value):
            whole.problems.append(problem)
            continue
        if isinstance(value, dict) and isinstance(old, dict) and not _chooses_another(old, value):
            values[name] = dict(old)
            _merge(whole, values[name], above, value, key)
        else:
            for stale in [known for known in places if known[: len(key)] == key]:
                del places[stale]
            values[name] = value
            places.update({known: place for known, place in above.places.items() if known[: len(key)] == key})
        if key in above.places:
            places[key] = above.places[key]


def _replaced_table(below: Source, above: Source, key: Key, old: Any, new: Any) -> Problem | None:
    """What is wrong where a table would be replaced by a value, which would drop all of its keys, or a value by one.

    A list of tables counts as a table. Which other types a value may have is for its option to say.
    """
    if old is None or type(old) is type(new) or (key[-1] in NAME_ALONE and isinstance(new, str | dict)):
        return None
    path = format_key(key)
    if isinstance(old, dict) or is_tables(old):
        kind = "a table" if isinstance(old, dict) else "an array of tables"
        what = f"{path} should be {kind}; found {describe_value(new)}."
        inside, names = (path, old) if isinstance(old, dict) else (f"{path}.0", old[0])
        known = "name" if "name" in names else next(iter(names), "KEY")
        remedy = f"As a value, it would drop the whole of it. Set a key inside it, {inside}.{known} say."
        return Problem(above.place(key), what, remedy)
    if isinstance(new, dict) and (len(key) == 1 or key[:-1] in TABLES_OF_TABLES or key == ("train", "stop")):
        what = f"{path} should be a table; found {describe_value(old)}."
        return Problem(below.place(key), what, "Take it out, or write a table.")
    return None


def _chooses_another(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return isinstance(new.get("name"), str) and isinstance(old.get("name"), str) and old["name"] != new["name"]


def read_text(path: Path, kind: str = "recipe") -> str:
    """The text of a recipe file, with Unix line ends. Raises: RecipeError if it is not a small UTF-8 text file."""

    def wrong(what: str, remedy: str = "", *, line: int = 0) -> RecipeError:
        return RecipeError([Problem(f"{path}:{line}" if line else str(path), what, remedy)])

    try:
        if os.path.isdir(path):  # noqa: PTH112  # it never raises
            raise wrong(f"this is a folder; a {kind} is a .toml file.")
        content = read_plain_file(path, limit=MAX_BYTES)
    except FileNotFoundError as error:
        raise wrong("there is no such file.", "`ganzoo list recipes` shows the installed ones.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise wrong(f"this is no {kind}: it is larger than {size_text(MAX_BYTES)}.") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise wrong(f"this file cannot be read: {reason}.") from error
    if b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise wrong(f"this is no {kind}: it holds binary data.")
    try:
        text = content.decode("utf-8-sig")  # editors on Windows write a byte order mark
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise wrong("this is not text in UTF-8.", "Save the file as UTF-8.", line=line) from error
    if not text.strip():
        raise wrong("this file is empty.", "`ganzoo list recipes` names recipes to begin from.")
    return text.replace("\r\n", "\n")


def _parse(path: Path, text: str, kind: str) -> dict[str, Any]:
    if excess := find_excess(text):
        raise RecipeError([Problem(f"{path}:{excess.line}", f"this is not a {kind}: {excess.what}.")])
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(at[1]) if at and at[1] else text.rstrip().count("\n") + 1
        what = str(error)[: at.start()] if at else str(error)
        problem = Problem(f"{path}:{line}", f"this is not TOML: {what}.", "See https://toml.io for how to write it.")
        raise RecipeError([problem]) from error
    except ValueError as error:  # a number with more digits than Python parses
        raise RecipeError([Problem(str(path), f"this is not a {kind}: {error}.")]) from error
    except RecursionError as error:
        raise RecipeError([Problem(str(path), f"this is not a {kind}: its values are nested too deeply.")]) from error
    if any(depth > MAX_DEPTH for depth in _depths(values)):
        raise RecipeError([Problem(str(path), f"this is not a {kind}: its values are nested too deeply.")])
    return values


def _depths(values: Any) -> Iterator[int]:
    """The depth of each value; without recursion, which would fail for deeply nested values."""
    stack = [(values, 0)]
    while stack:
        value, depth = stack.pop()
        yield depth
        if depth <= MAX_DEPTH and isinstance(value, dict | list):
            stack += [(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]
