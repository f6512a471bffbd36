"""Finds plugins: every distribution with an entry point in the group `ganzoo`. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from ganzoo.plugins.credit import NO_CREDIT, Credit, credit_of, first_value, read_metadata
from ganzoo.plugins.hookspecs import PROJECT

UNKNOWN = "(unknown)"


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
        metadata_error = f"its entry_points.txt cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"
    if not own and not metadata_error:
        return
    metadata = read_metadata(distribution)
    name, version = (first_value(metadata, field) or UNKNOWN for field in ("name", "version"))
    if metadata_error and PROJECT in name.lower():  # damaged metadata of unrelated projects are not reported
        yield Candidate(name, name, version, metadata_error=metadata_error)
    if name == UNKNOWN:
        metadata_error = "the METADATA of its distribution are missing or damaged"
    for entry_point in own:
        yield Candidate(entry_point.name, name, version, credit_of(metadata), entry_point, metadata_error)
