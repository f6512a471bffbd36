"""Recipe files as they are written: TOML, the line of every key, parents, and what the command line sets on top."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganzoo.errors import PluginError, Problem, RecipeError
from ganzoo.plugins import zoo

LARGEST = 1 << 20
"""Bytes: a recipe is a page of text, and anything this large is another kind of file."""

KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')"
HEADER = re.compile(rf"^\s*(\[\[?)\s*({KEY}(?:\s*\.\s*{KEY})*)\s*\]")
PAIR = re.compile(rf"^\s*({KEY}(?:\s*\.\s*{KEY})*)\s*=(.*)$", re.DOTALL)
SET_PATH = re.compile(r"[A-Za-z0-9_-]+(\[\d+\])?(\.[A-Za-z0-9_-]+(\[\d+\])?)*")


@dataclass(slots=True)
class Source:
    """What was written, merged: `values` as TOML gives them, `places` from key path ("train.seed") to where it stands."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    file: str = ""

    def place(self, path: str) -> str:
        """Where a key stands, or what is inside it, or the nearest key around it."""
        inside = (place for key, place in self.places.items() if key.startswith((f"{path}.", f"{path}[")))
        if path not in self.places and (first := next(inside, None)):
            return first
        while path:
            if path in self.places:
                return self.places[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.file


def find_recipe(source: str | Path) -> Path:
    """A path as it is, or an installed recipe's name ("vanilla_mnist"). Raises: RecipeError."""
    path = Path(source)
    if path.suffix == ".toml" or path.exists():
        return path
    if len(path.parts) > 1:
        raise RecipeError([Problem(str(source), "there is no such file.", "A recipe is a .toml file.")])
    try:
        return zoo().recipe_path(zoo().find("recipe", str(source)))
    except PluginError as error:
        raise RecipeError([Problem(str(source), f"there is no such file, and {error.what}", error.remedy)]) from error


def read_source(path: Path, *, children: tuple[Path, ...] = ()) -> Source:
    """Reads a recipe file on top of those it extends. Raises: RecipeError on what cannot be read or parsed."""
    text = _read_text(path)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        where = f"{path}:{line[1]}" if line else str(path)
        what = re.sub(r" \(at (line.*|end of document)\)$", "", str(error))
        raise RecipeError([Problem(where, f"this is not TOML: {what}.", "See https://toml.io for the syntax.")]) from error
    except RecursionError as error:
        raise RecipeError([Problem(str(path), "this is not a recipe: its values are nested too deeply.")]) from error
    own = Source(values, {key: f"{path}:{line}" for key, line in key_lines(text).items()}, str(path))
    if "extends" not in values:
        return own
    parent = values.pop("extends")
    where = own.place("extends")
    if not isinstance(parent, str):
        raise RecipeError([Problem(where, f"extends should be a file or a recipe's name, and is {parent!r}.")])
    beside = path.parent / parent
    try:
        parent_path = beside if beside.is_file() else find_recipe(parent)
        chain = (*children, path.resolve())
        if parent_path.resolve() in chain:
            raise RecipeError([Problem(str(parent_path), "this recipe extends itself, in a circle.")])
        below = read_source(parent_path, children=chain)
    except RecipeError as error:
        first = error.problems[0]
        raise RecipeError(
            [Problem(where, f'extends = "{parent}": {first.where}: {first.what}', first.remedy)]
        ) from error
    return layer(below, own)


def layer(below: Source, above: Source) -> Source:
    """`above` on top of `below`: tables merge, all else is replaced; a table whose `name` differs is replaced whole."""
    values, places = dict(below.values), dict(below.places)
    _merge(values, places, above.values, above.places, "")
    return Source(values, places, above.file or below.file)


def read_overrides(overrides: Sequence[str]) -> tuple[Source, dict[str, Any], list[Problem]]:
    """`--set` strings -> a layer, what it sets inside arrays ("regularizer[0].weight"), and what is wrong with them."""
    above, inside, problems = Source(), {}, []
    for override in overrides:
        path, equals, text = override.partition("=")
        path, where = path.strip(), f"--set {override}"
        if not equals or not SET_PATH.fullmatch(path):
            problems.append(Problem(where, "this should be KEY=VALUE.", "For example: --set generator.latent_dim=64"))
            continue
        value = _parse_value(text.strip())
        above.places[path] = where
        if "[" in path:
            inside[path] = value
        else:
            try:
                put(above.values, path, value)
            except (KeyError, TypeError):
                problems.append(Problem(where, f"{path} goes into something that another --set made a value."))
    return above, inside, problems


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Sets a key path, making tables on the way. Raises: KeyError or TypeError where the way is not through tables."""
    *tables, last = path.split(".")
    for name in tables:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise TypeError(path)
    values[last] = value


def put_inside(values: dict[str, Any], path: str, value: Any) -> None:
    """Sets a key path that goes through arrays, whose elements must exist. Raises: KeyError, IndexError, TypeError."""
    steps: list[str | int] = [int(part) if part.isdecimal() else part for part in re.findall(r"[^.\[\]]+", path)]
    holder: Any = values
    for step in steps[:-1]:
        holder = holder[step]
    if not isinstance(holder, dict | list):
        raise TypeError(path)
    holder[steps[-1]] = value  # type: ignore[index]  # a wrong kind of index raises, as promised


def key_lines(text: str) -> dict[str, int]:
    """Key path -> line (from 1), of a text that is known to be TOML."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix, number = "", 0
    rows = text.splitlines()
    while number < len(rows):
        row, first = rows[number], number + 1
        number += 1
        if header := HEADER.match(row):
            prefix = _join(header[2])
            if header[1] == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
            prefix = ".".join(_numbered(prefix, counts))
            lines.setdefault(prefix, first)
        elif pair := PAIR.match(row):
            path = ".".join(filter(None, (prefix, _join(pair[1]))))
            lines.setdefault(path, first)
            value = pair[2]
            while not _is_value(value) and number < len(rows):  # a value that goes on over lines
                value += "\n" + rows[number]
                number += 1
    return lines


def _join(key: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(KEY, key))


def _numbered(path: str, counts: Mapping[str, int]) -> list[str]:
    parts, so_far = [], ""
    for part in path.split("."):
        so_far = f"{so_far}.{part}" if so_far else part
        parts.append(f"{part}[{counts[so_far]}]" if so_far in counts else part)
    return parts


def _is_value(text: str) -> bool:
    try:
        tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _parse_value(text: str) -> Any:
    """A TOML value; what is none is taken as the string that it is, so that quotes are not needed on a command line."""
    try:
        return tomllib.loads(f"x = {text}")["x"] if "\n" not in text else text
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _merge(values: dict[str, Any], places: dict[str, str], above: Mapping[str, Any], from_: Mapping[str, str], at: str) -> None:
    for key, value in above.items():
        path = f"{at}.{key}" if at else key
        old = values.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and old.get("name") == value.get("name", old.get("name")):
            values[key] = dict(old)
            _merge(values[key], places, value, from_, path)
            if path in from_:
                places.setdefault(path, from_[path])
        else:
            for stale in [known for known in places if known == path or known.startswith((f"{path}.", f"{path}["))]:
                del places[stale]
            values[key] = value
            places.update({k: v for k, v in from_.items() if k == path or k.startswith((f"{path}.", f"{path}["))})


def _read_text(path: Path) -> str:
    def wrong(what: str, remedy: str = "") -> RecipeError:
        return RecipeError([Problem(str(path), what, remedy)])

    try:
        if path.is_dir():
            raise wrong("this is a folder, and a recipe is a .toml file.")
        if path.stat().st_size > LARGEST:
            raise wrong("this is no recipe: it is larger than 1 MiB.")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error}"
        raise wrong(f"{reason}.", "`ganzoo list recipes` shows the installed ones.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problem = Problem(f"{path}:{line}", "this is not text in UTF-8.", "Save the file as UTF-8.")
        raise RecipeError([problem]) from error
    if not text.strip():
        raise wrong("this file is empty.", "`ganzoo show vanilla_mnist` shows what a recipe holds.".replace("vanilla_mnist", "NAME"))
    return text
