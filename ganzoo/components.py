"""A component is one thing on a shelf of the zoo: a light record that names what to import when it is used."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import Any, Final

SHELVES: Final[dict[str, str]] = {
    "generator": "generators",
    "discriminator": "discriminators",
    "loss": "losses",
    "regularizer": "regularizers",
    "dataset": "datasets",
    "game": "games",
    "metric": "metrics",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "augmentation": "augmentations",
    "recipe": "recipes",
}
"""Shelf -> its plural, as `ganzoo list` and its JSON say it."""


@dataclass(frozen=True, slots=True)
class Component:
    """One entry on a shelf, as a plugin registers it.

    shelf: one of `SHELVES`.
    name: unique on its shelf, lower case with hyphens ("gradient-penalty"; recipes may use underscores).
    target: "package.module:Attribute", imported only when the component is used, so that registering it imports no
        torch. On the shelf "recipe": "package:path/inside/it.toml".
    summary: one line for `ganzoo list`; paper: "arXiv:1511.06434", a DOI, or empty.
    """

    shelf: str
    name: str
    target: str
    summary: str = ""
    paper: str = ""

    def load(self) -> Any:
        """Imports and returns the target. Raises whatever the import raises; `Zoo.load` turns that into a PluginError."""
        return pkgutil.resolve_name(self.target)
