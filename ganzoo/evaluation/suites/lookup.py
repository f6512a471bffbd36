"""Finds the file of a suite: a path, or the name of one that ganzoo ships. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path

from ganzoo.errors import Problem, RecipeError
from ganzoo.recipe.messages import did_you_mean


def installed() -> dict[str, Path]:
    """The suites that ganzoo ships, by name: in a wheel inside the package, in a checkout beside it."""
    package = Path(__file__).parents[2]
    folders = (package / "suites", package.parent / "suites")
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}


def find_suite(source: str | Path) -> Path:
    """A path as it is, or the file of a shipped suite by its name ("mnist-small"). Raises: RecipeError."""
    path = Path(source)
    if os.path.exists(path):  # noqa: PTH110  # it never raises
        return path
    known = installed()
    if str(source) in known:
        return known[str(source)]
    near = did_you_mean(path.stem, known)
    remedy = f"{near}Suites: {', '.join(known)}; or a .toml file of your own."
    raise RecipeError([Problem(str(source)[:200], "there is no such suite, and no such file.", remedy)])
