"""Author, homepage and licence of a plugin, from the metadata of its distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import getaddresses
from importlib.metadata import Distribution
from typing import Any

HOMEPAGE_LABELS = ("homepage", "repository", "source", "sourcecode", "github", "documentation")
"""Labels of project URLs to take as the homepage, in order of preference, without spaces and hyphens."""


LONGEST_VALUE = 1000
"""The most characters of a value that are kept; licences may be given with their whole text."""


@dataclass(frozen=True, slots=True)
class Credit:
    """Author, homepage, licence and summary of a distribution; empty where its metadata do not state them.

    authors: names, or email addresses where no author has a name; homepage: one URL; licence: an SPDX expression, or
    the older licence field or classifiers; summary: the one-line description.
    """

    authors: tuple[str, ...] = ()
    homepage: str = ""
    licence: str = ""
    summary: str = ""


NO_CREDIT = Credit()

Metadata = Mapping[str, Sequence[str]]
"""A distribution's metadata: field name in lower case -> all its values, each on one line."""


def read_metadata(distribution: Distribution) -> Metadata:
    """Reads the metadata; empty where the METADATA file is missing or not text."""
    found: dict[str, list[str]] = {}
    try:
        metadata: Any = distribution.metadata  # read from the file at each access
        for name, value in metadata.items():
            value_text = " ".join(str(value).split())[:LONGEST_VALUE]
            if value_text and value_text.lower() != "unknown":
                found.setdefault(name.lower(), []).append(value_text)
    except Exception:
        return {}
    return found


def first_value(metadata: Metadata, name: str) -> str:
    """The first value of a field, or an empty string."""
    return metadata[name][0] if name in metadata else ""


def credit_of(metadata: Metadata) -> Credit:
    """The credit that the metadata give. What they do not state is empty."""
    return Credit(_authors(metadata), _homepage(metadata), _licence(metadata), first_value(metadata, "summary"))


def _authors(metadata: Metadata) -> tuple[str, ...]:
    """`Author` holds authors without an address, `Author-email` those with one; a distribution may use both."""
    names = [name.strip() for value in metadata.get("author", ()) for name in value.split(",")]
    addressed = [pair for pair in getaddresses(list(metadata.get("author-email", ()))) if any(pair)]
    names += [name for name, _ in addressed]
    return tuple(dict.fromkeys(name for name in names if name)) or tuple(address for _, address in addressed)


def _homepage(metadata: Metadata) -> str:
    labelled = {}
    for value in metadata.get("project-url", ()):
        label, _, url = value.partition(",")
        labelled[label.lower().replace(" ", "").replace("-", "")] = url.strip()
    found = (labelled[label] for label in HOMEPAGE_LABELS if label in labelled)
    return next(found, "") or first_value(metadata, "home-page")


def _licence(metadata: Metadata) -> str:
    """The licence expression; else the old field, if it is a name and not the whole text; else the classifiers."""
    for licence in (first_value(metadata, "license-expression"), first_value(metadata, "license")):
        if licence and len(licence) <= 60:
            return licence
    classifiers = metadata.get("classifier", ())
    return ", ".join(
        classifier.rpartition(" :: ")[2] for classifier in classifiers if classifier.startswith("License :: ")
    )
