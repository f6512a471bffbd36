"""A component is one entry on a shelf of the zoo: a record of what to import when the component is used."""

from __future__ import annotations

import pkgutil
import re
from dataclasses import dataclass
from typing import Any, Final

SHELVES: Final[dict[str, str]] = {
    "generator": "generators",
    "discriminator": "discriminators",
    "loss": "losses",
    "regularizer": "regularizers",
    "dataset": "datasets",
    "kind": "kinds",
    "game": "games",
    "metric": "metrics",
    "extractor": "extractors",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "augmentation": "augmentations",
    "recipe": "recipes",
    "pretrained": "pretrained",
    "command": "commands",
}
"""Shelf -> its plural, as `ganzoo list` and its JSON write it."""

NAME = re.compile(r"\w[\w.+-]*")
LONGEST: Final = {"shelf": 100, "name": 100, "target": 500, "summary": 1000, "paper": 200}
"""The most characters of each field of a component."""

TARGET = re.compile(r"\w[\w.]*:\S.*")


@dataclass(frozen=True, slots=True)
class Component:
    """One entry on a shelf, as a plugin registers it.

    shelf: one of `SHELVES`.
    name: unique on its shelf, lower case with hyphens ("gradient-penalty"; recipes may use underscores).
    target: "package.module:Attribute", imported only when the component is used, so that registering it imports no
        torch. On the shelf "recipe": "package:path/inside/it.toml"; on the shelf "command": a click command.
    summary: one line for `ganzoo list`; paper: "arXiv:1511.06434", a DOI, or empty.

    Raises: TypeError or ValueError for an invalid field. An unknown shelf is not an error here, because a newer ganzoo
    may have it; registration reports it.
    """

    shelf: str
    name: str
    target: str
    summary: str = ""
    paper: str = ""

    def __post_init__(self) -> None:
        """Checks the fields here, so that the traceback ends at the plugin's own line."""
        for field in ("shelf", "name", "target", "summary", "paper"):
            value = getattr(self, field)
            if not isinstance(value, str):
                raise TypeError(f"a component's {field} is a string, not {value!r}")
            if len(value) > LONGEST[field]:
                raise ValueError(f"a component's {field} has at most {LONGEST[field]:,} characters, not {len(value):,}")
            if not value.isprintable() and not " ".join(value.split()).isprintable():
                raise ValueError(f"a component's {field} is text without control characters, not {value!r}")
        if not NAME.fullmatch(self.name):
            raise ValueError(f"a component's name has letters, digits and - _ . + only, not {self.name!r}")
        if not TARGET.fullmatch(self.target):
            raise ValueError(f'the target of "{self.name}" is not "package.module:Attribute": {self.target!r}')

    @property
    def package(self) -> str:
        """The top-level package of the target."""
        return self.target.partition(":")[0].partition(".")[0]

    def load(self) -> Any:
        """Imports and returns the target.

        Raises: whatever the import raises; `Zoo.load` converts that to a PluginError.
        """
        return pkgutil.resolve_name(self.target)
