"""Who says to be a plugin: every distribution with an entry point in the group `ganzoo`. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from ganzoo.plugins.credit import NOBODY, Credit, credit_of, fields_of, first
from ganzoo.plugins.hookspecs import PROJECT

UNKNOWN = "(unknown)"


@dataclass(frozen=True, slots=True)
class Claim:
    """A distribution's claim to be the plugin `name`. damage: why its metadata cannot be used; empty if they can."""

    name: str
    distribution: str
    version: str
    credit: Credit = NOBODY
    entry_point: EntryPoint | None = None
    damage: str = ""

    def packages(self) -> frozenset[str]:
        """The top-level modules that are the plugin's: its entry point's, and all that its distribution installed.

        Reads the list of installed files, which takes time: to be asked only where something failed.
        """
        if self.entry_point is None:
            return frozenset()
        own = self.entry_point.module.partition(".")[0]
        try:
            files = (self.entry_point.dist.files if self.entry_point.dist else None) or ()
        except Exception:  # a damaged list
            files = ()
        return frozenset({own, *(file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py")})

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def claims() -> list[list[Claim]]:
    """Everyone who says to be a plugin, by name; a list longer than one is a dispute about that name.

    importlib's `entry_points` is not used because one damaged distribution, of whatever project, makes it raise.
    """
    found: dict[str, list[Claim]] = {}
    seen: set[str] = set()
    for distribution in distributions():
        own = list(_claims_of(distribution))
        project = same_name(own[0].distribution) if own else UNKNOWN
        if project in seen:  # once more, further down on sys.path: the first one is what an import would find
            continue
        seen.update({project} - {UNKNOWN})
        for claim in own:
            found.setdefault(same_name(claim.name), []).append(claim)
    return [found[name] for name in sorted(found)]


def same_name(name: str) -> str:
    """Names of plugins, distributions and recipes are compared without regard to case, and to - or _ or a dot."""
    return name.lower().replace("-", "_").replace(".", "_")


def _claims_of(distribution: Distribution) -> Iterator[Claim]:
    damage = ""
    try:
        own = tuple(distribution.entry_points.select(group=PROJECT))
    except Exception as error:
        own = ()
        damage = f"its entry_points.txt cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"
    if not own and not damage:
        return
    fields = fields_of(distribution)
    name, version = (first(fields, field) or UNKNOWN for field in ("name", "version"))
    if damage and PROJECT in name.lower():  # the damaged metadata of other projects are not ours to report
        yield Claim(name, name, version, damage=damage)
    if name == UNKNOWN:
        damage = "the METADATA of its distribution are missing or damaged"
    for entry_point in own:
        yield Claim(entry_point.name, name, version, credit_of(fields), entry_point, damage)
