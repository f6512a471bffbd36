"""The shelves: every component of every healthy plugin, where each is from, and how to get at it."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pluggy

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins import hookspecs
from ganzoo.plugins.builtin import COMMANDS
from ganzoo.plugins.components import SHELVES
from ganzoo.plugins.discovery import Claim, claims, same_name
from ganzoo.plugins.events import events_manager
from ganzoo.plugins.hookspecs import PROJECT
from ganzoo.plugins.plugin_frame import plugin_frame
from ganzoo.plugins.registration import Entry, PluginRow, RefusedError, cause_of, name_on, register


class Zoo:
    """Every plugin on this machine, and the shelves they fill. Making one imports their registration modules only.

    disabled: names of plugins, or of their distributions, to leave out before they are imported; strict: a broken
    plugin raises PluginError, now or in an event, where it would be reported only.
    """

    def __init__(self, *, disabled: Iterable[str] = (), strict: bool = False) -> None:
        self.strict = strict
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._rows: list[PluginRow] = []
        self._entries: dict[str, list[Entry]] = {shelf: [] for shelf in SHELVES}
        self._disabled = {same_name(name) for name in disabled}
        self._claims = claims()
        for same in self._claims:
            self._settle(same)
        for entries in self._entries.values():
            entries.sort(key=lambda entry: (entry.name, entry.plugin))

    def plugins(self) -> list[PluginRow]:
        """Every plugin found, healthy or not, by name."""
        return list(self._rows)

    @cached_property
    def packages(self) -> frozenset[str]:
        """The top-level modules of all plugins, as `plugin_frame` takes them."""
        return frozenset().union(*(claim.packages() for same in self._claims for claim in same))

    def entries(self, shelf: str) -> list[Entry]:
        """What stands on a shelf, by name; two plugins that claim one name are both there. Raises: PluginError."""
        if shelf not in SHELVES:
            raise PluginError(f'there is no shelf "{shelf}".', remedy=nearest(shelf, SHELVES))
        return list(self._entries[shelf])

    def find(self, shelf: str, name: str) -> Entry:
        """The one thing called `name`, or "plugin:name", on a shelf.

        Raises: PluginError where there is none (with the nearest names, and the broken plugins that might have had it)
        or more than one (with the names that settle it).
        """
        plugin, _, bare = name.rpartition(":")
        of_plugin = [
            entry for entry in self.entries(shelf) if not plugin or same_name(entry.plugin) == same_name(plugin)
        ]
        found = [entry for entry in of_plugin if name_on(shelf, entry.name) == name_on(shelf, bare)]
        if len(found) == 1:
            return found[0]
        if found:
            who = " and ".join(f"{entry.plugin} ({entry.distribution} {entry.version})" for entry in found)
            ways = " or ".join(f'"{self.spelling(entry)}"' for entry in found)
            raise PluginError(f'the {shelf} "{bare}" is claimed by {who}.', remedy=f"Say which: {ways}.")
        if plugin and not any(same_name(row.name) == same_name(plugin) for row in self._rows):
            raise PluginError(
                f'there is no plugin "{plugin}", which "{name}" asks for.',
                remedy="Is it installed? " + nearest(plugin, [row.name for row in self._rows]),
            )
        remedy = [nearest(bare, [entry.name for entry in of_plugin])]
        for row in self._rows:
            concerned = row.status != "ok" or shelf == "command"  # commands alone can be left out of a healthy plugin
            if row.trouble and concerned and (not plugin or same_name(row.name) == same_name(plugin)):
                remedy.append(row.trouble)
        raise PluginError(f'there is no {shelf} "{name}".', remedy="\n  ".join(remedy))

    def plugins_called(self, name: str) -> list[PluginRow]:
        """Every plugin that goes by this name, its own or its distribution's; none where there is no such plugin."""
        wanted = same_name(name)
        return [row for row in self._rows if wanted in (same_name(row.name), same_name(row.distribution))]

    def plugin_of(self, entry: Entry) -> PluginRow:
        """The plugin that put this entry on its shelf."""
        return next(row for row in self._rows if row.status == "ok" and row.name == entry.plugin)

    def spelling(self, entry: Entry) -> str:
        """What a recipe writes to mean this one: its name, or "plugin:name" where others claim that name too."""
        name = name_on(entry.shelf, entry.name)
        alone = sum(name_on(entry.shelf, other.name) == name for other in self._entries[entry.shelf]) == 1
        return entry.name if alone else f"{entry.plugin}:{entry.name}"

    def resolve(self, entry: Entry) -> Any:
        """Imports what the entry names. Raises: PluginError, naming the plugin, where that fails."""
        where = f"of the plugin {entry.plugin} ({entry.distribution} {entry.version})"
        try:
            found = entry.component.load()
        except (Exception, SystemExit) as error:
            raise PluginError(
                f'the {entry.shelf} "{entry.name}" {where} cannot be imported from {entry.component.target}: '
                f"{cause_of(error, {*self.packages, entry.component.package})}",
                remedy="Reinstall or report that plugin; everything else goes on working.",
            ) from error
        if not callable(found):
            raise PluginError(
                f'the {entry.shelf} "{entry.name}" {where} names {entry.component.target}, '
                f"which is no class or function but {type(found).__name__}.",
                remedy="Report that plugin; everything else goes on working.",
            )
        return found

    def load(self, shelf: str, name: str) -> Any:
        """`find`, then `resolve`."""
        return self.resolve(self.find(shelf, name))

    def recipe_path(self, entry: Entry) -> Path:
        """The file of a recipe on the shelf. Raises: PluginError where the plugin has it not."""
        package, _, inside = entry.component.target.partition(":")
        try:
            spec = find_spec(package)
        except Exception:  # a package whose parent cannot be imported
            spec = None
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            path = (Path(folder) / inside).resolve()
            if path.is_file():
                return path
        raise PluginError(
            f'the recipe "{entry.name}" of the plugin {entry.plugin} ({entry.distribution} {entry.version}) '
            f"is not where it should be, at {entry.component.target}.",
            remedy="Reinstall or report that plugin.",
        )

    def events(self) -> pluggy.PluginManager:
        """A manager of its own for one run's events, with every healthy plugin on it, each call guarded."""
        return events_manager(
            self._manager,
            {row.name: row for row in self._rows if row.status == "ok"},
            packages=lambda: self.packages,
            strict=self.strict,
        )

    def _settle(self, same: list[Claim]) -> None:
        """Lets in the one plugin that claims a name. If more do, apart from those that are blocked, none comes in."""
        blocked = [c for c in same if self._disabled & {same_name(c.name), same_name(c.distribution)}]
        for claim in blocked:
            self._add_row(claim, "blocked", "named in GANZOO_DISABLE")
        open_claims = [claim for claim in same if claim not in blocked]
        if len(open_claims) > 1:
            who = " and ".join(str(claim) for claim in open_claims)
            for claim in open_claims:
                self._refuse(claim, f"the name {claim.name} is claimed by {who}; uninstall one of them")
        elif open_claims:
            self._let_in(open_claims[0])

    def _let_in(self, claim: Claim) -> None:
        try:
            entries = register(self._manager, claim)
        except RefusedError as refusal:
            self._refuse(claim, str(refusal), refusal)
            return
        taken = (
            []
            if same_name(claim.distribution) == PROJECT
            else [entry for entry in entries if has_a_name_of_ours(entry)]
        )
        causes = [f'its command "{entry.name}" is left out: ganzoo has a command of that name' for entry in taken]
        if causes and self.strict:
            raise PluginError(f"the plugin {claim.name} ({claim}): {'; '.join(causes)}")
        kept = [entry for entry in entries if entry not in taken]
        for entry in kept:
            self._entries[entry.shelf].append(entry)
        papers = dict.fromkeys(entry.component.paper for entry in kept if entry.component.paper)
        self._add_row(claim, "ok", "; ".join(causes), papers=tuple(papers))

    def _refuse(self, claim: Claim, cause: str, error: Exception | None = None) -> None:
        if self.strict:
            raise PluginError(f"the plugin {claim.name} ({claim}) is broken: {cause}") from error
        self._add_row(claim, "broken", cause)

    def _add_row(self, claim: Claim, status: str, cause: str = "", *, papers: tuple[str, ...] = ()) -> None:
        row = PluginRow(claim.name, claim.distribution, claim.version, status, cause, claim.credit, papers)
        self._rows.append(row)


def has_a_name_of_ours(entry: Entry) -> bool:
    """Whether it has the name of one of ganzoo's own commands, which no plugin's can take."""
    return entry.shelf == "command" and same_name(entry.name) in {name for name, *_ in COMMANDS}


@cache
def zoo() -> Zoo:
    """The zoo of this process: the one piece of global state. GANZOO_DISABLE and GANZOO_STRICT are read here."""
    disabled = [name.strip() for name in os.environ.get("GANZOO_DISABLE", "").split(",") if name.strip()]
    return Zoo(disabled=disabled, strict=os.environ.get("GANZOO_STRICT", "") not in ("", "0"))


def frame_said(error: BaseException) -> str:
    """Where in a plugin's or the user's file an exception comes from, to be put behind its text; see `plugin_frame`.

    Nothing of a GanzooError, whose text is meant for the user and says what to do.
    """
    if isinstance(error, GanzooError):
        return ""
    made = zoo.cache_info().currsize > 0  # what failed may be the making of it
    return plugin_frame(error, zoo().packages if made else ())


def nearest(name: str, names: Iterable[str]) -> str:
    """What to write instead: the names that look like `name`, and all there are."""
    names = sorted(set(names))
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    said = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{said}There are: {', '.join(names)}." if names else "There are none."
