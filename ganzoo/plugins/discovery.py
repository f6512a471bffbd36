"""Finds plugins: every distribution with an entry point in the group `ganzoo`. Imports none of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from ganzoo.plugins.containment import error_text
from ganzoo.plugins.credit import NO_CREDIT, Credit, Metadata, credit_of, first_value, read_metadata
from ganzoo.plugins.hookspecs import PROJECT

UNKNOWN = "(unknown)"

IDENTITY = ("name", "version")
DISTRIBUTION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,99}")
ENTRY_VALUE = re.compile(r"\s*[^\W\d]\w*(?:\.[^\W\d]\w*)*\s*(?::\s*[^\W\d]\w*(?:\.[^\W\d]\w*)*\s*)?(?:\[.*\]\s*)?")
"""A module's path, and an attribute's in it."""

MAX_ENTRY_POINTS = 100
"""The most entry points of one distribution that are read."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A distribution with an entry point for the plugin `name`, not yet imported.

    metadata_error: why its metadata cannot be used; empty where they can.
    """

    name: str
    distribution: str
    version: str
    credit: Credit = NO_CREDIT
    entry_point: EntryPoint | None = None
    metadata_error: str = ""

    def packages(self) -> frozenset[str]:
        """The top-level modules of the plugin: that of its entry point, and all that its distribution installed.

        Reads the list of installed files, which is slow: call it only after an error.
        """
        if self.entry_point is None:
            return frozenset()
        own = self.entry_point.module.partition(".")[0]
        try:
            files = (self.entry_point.dist.files if self.entry_point.dist else None) or ()
        except Exception:  # the list is damaged
            files = ()
        return frozenset({own, *(file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py")})

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def find_candidates() -> list[list[Candidate]]:
    """All candidates, grouped by plugin name; a group of more than one is a name conflict.

    importlib's `entry_points` is not used because one damaged distribution of any project makes it raise.
    """
    found: dict[str, list[Candidate]] = {}
    seen: set[str] = set()
    for distribution in distributions():
        own = list(_candidates_of(distribution))
        project = normalize_name(own[0].distribution) if own else UNKNOWN
        if project in seen:  # a second copy, later on sys.path: an import would find the first one
            continue
        seen.update({project} - {UNKNOWN})
        for candidate in own:
            found.setdefault(normalize_name(candidate.name), []).append(candidate)
    return [found[name] for name in sorted(found)]


def normalize_name(name: str) -> str:
    """The name in lower case with _ for - and dots, for comparing names of plugins, distributions and recipes."""
    return name.lower().replace("-", "_").replace(".", "_")


def _candidates_of(distribution: Distribution) -> Iterator[Candidate]:
    metadata_error = ""
    try:
        own = tuple(distribution.entry_points.select(group=PROJECT))
    except Exception as error:
        own = ()
        metadata_error = (
            f"its entry_points.txt cannot be read: {type(error).__name__}: {' '.join(error_text(error).split())}"
        )
    if not own and not metadata_error:
        return
    metadata = read_metadata(distribution)
    wrong = wrong_fields(metadata)
    name, version = (UNKNOWN if field in wrong else first_value(metadata, field) or UNKNOWN for field in IDENTITY)
    if metadata_error and PROJECT in name.lower():  # damaged metadata of unrelated projects are not reported
        yield Candidate(name, name, version, metadata_error=metadata_error)
    if name == UNKNOWN or wrong:
        metadata_error = "the METADATA of its distribution are missing or damaged"
        metadata_error += f": its {' and its '.join(wrong)} cannot be used" if wrong else ""
    if len(own) > MAX_ENTRY_POINTS:
        metadata_error = (
            f"it has {len(own):,} entry points in the group {PROJECT}, and at most {MAX_ENTRY_POINTS} are read"
        )
        own = own[:1]
    for entry_point in own:
        problem = metadata_error or entry_point_error(entry_point)
        shown = entry_point.name if is_entry_name(entry_point.name) else UNKNOWN
        usable = None if problem else entry_point
        yield Candidate(shown, name, version, credit_of(metadata), usable, problem)


def wrong_fields(metadata: Metadata) -> list[str]:
    """Which of name and version are there but are none, by the specification of core metadata."""
    patterns = zip(IDENTITY, (DISTRIBUTION_NAME, VERSION), strict=True)
    found = ((field, pattern, first_value(metadata, field)) for field, pattern in patterns)
    return [field for field, pattern, value in found if value and not pattern.fullmatch(value)]


def entry_point_error(entry_point: EntryPoint) -> str:
    """What is wrong with an entry point, before it is imported; empty where nothing is."""
    if not is_entry_name(entry_point.name):
        return "the name of its entry point is empty, too long, or has control characters"
    if not ENTRY_VALUE.fullmatch(entry_point.value):
        return f"its entry point is not package.module or package.module:attribute, but {entry_point.value[:100]!r}"
    return ""


def is_entry_name(name: str) -> bool:
    """Whether it can be the name of a plugin: printable, and at most 100 characters."""
    return 0 < len(name) <= 100 and name.isprintable()
