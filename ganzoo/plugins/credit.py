"""Whose work a plugin is: what the metadata of its distribution say of author, home and licence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import getaddresses
from importlib.metadata import Distribution
from typing import Any

HOMES = ("homepage", "repository", "source", "sourcecode", "github", "documentation")
"""Labels of project URLs that lead home, the best one first, without spaces and hyphens."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What a distribution says of itself; what it does not say is empty.

    authors: people's names, an address only of someone who gives no name; homepage: one URL; licence: an SPDX
    expression, or what the distribution has in its place; summary: its one line.
    """

    authors: tuple[str, ...] = ()
    homepage: str = ""
    licence: str = ""
    summary: str = ""


NOBODY = Credit()

Fields = Mapping[str, Sequence[str]]
"""A distribution's metadata: a field's name in lower case -> every value given for it, each on one line."""


def fields_of(distribution: Distribution) -> Fields:
    """Reads the metadata; without a METADATA file, or with one that is no text, there are none."""
    found: dict[str, list[str]] = {}
    try:
        metadata: Any = distribution.metadata  # read from the file at each access
        for name, value in metadata.items():
            if (said := " ".join(str(value).split())) and said.lower() != "unknown":
                found.setdefault(name.lower(), []).append(said)
    except Exception:
        return {}
    return found


def first(fields: Fields, name: str) -> str:
    """The first value of a field, or nothing."""
    return fields[name][0] if name in fields else ""


def credit_of(fields: Fields) -> Credit:
    """Whose work it is. What the fields do not say is empty."""
    return Credit(_authors(fields), _homepage(fields), _licence(fields), first(fields, "summary"))


def _authors(fields: Fields) -> tuple[str, ...]:
    """`Author` holds those without an address, `Author-email` the others: both are in use, at once even."""
    named = [name.strip() for value in fields.get("author", ()) for name in value.split(",")]
    addressed = [pair for pair in getaddresses(list(fields.get("author-email", ()))) if any(pair)]
    named += [name for name, _ in addressed]
    return tuple(dict.fromkeys(name for name in named if name)) or tuple(address for _, address in addressed)


def _homepage(fields: Fields) -> str:
    labelled = {}
    for value in fields.get("project-url", ()):
        label, _, url = value.partition(",")
        labelled[label.lower().replace(" ", "").replace("-", "")] = url.strip()
    found = (labelled[label] for label in HOMES if label in labelled)
    return next(found, "") or first(fields, "home-page")


def _licence(fields: Fields) -> str:
    """The expression; else the old field, if it is a name and not the whole text; else the classifiers."""
    for said in (first(fields, "license-expression"), first(fields, "license")):
        if said and len(said) <= 60:
            return said
    classifiers = fields.get("classifier", ())
    return ", ".join(one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: "))
