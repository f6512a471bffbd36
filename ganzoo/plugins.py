"""The door: finds plugins through entry points, keeps broken ones from doing harm, and knows where each thing is from."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pluggy

from ganzoo import hookspecs
from ganzoo.components import SHELVES, Component
from ganzoo.errors import GanzooError, PluginError
from ganzoo.hookspecs import PROJECT


@dataclass(frozen=True, slots=True)
class Entry:
    """A component and where it comes from: the plugin (entry-point name), its distribution, and that one's version."""

    component: Component
    plugin: str
    distribution: str
    version: str

    @property
    def name(self) -> str:
        """The component's name on its shelf."""
        return self.component.name

    @property
    def shelf(self) -> str:
        """The shelf it stands on."""
        return self.component.shelf


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plugin as `ganzoo list plugins` shows it. status: "ok", "broken" or "blocked"; cause: why, if not ok."""

    name: str
    distribution: str
    version: str
    status: str
    cause: str = ""
    summary: str = ""


class Zoo:
    """Every plugin on this machine, and the shelves they fill. Loading one imports its registration module only.

    disabled: names of plugins to leave out, before they are imported; strict: raise on a broken plugin instead of
    reporting it in its row.
    """

    def __init__(self, *, disabled: Iterable[str] = (), strict: bool = False) -> None:
        self.strict = strict
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self._rows: list[PluginRow] = []
        self._entries: dict[str, list[Entry]] = {shelf: [] for shelf in SHELVES}
        self._disabled = {same_name(name) for name in disabled}
        for name, found in sorted(_entry_points().items()):
            self._take(name, found)
        for entries in self._entries.values():
            entries.sort(key=lambda entry: (entry.name, entry.plugin))

    def plugins(self) -> list[PluginRow]:
        """Every plugin found, healthy or not, by name."""
        return list(self._rows)

    def entries(self, shelf: str) -> list[Entry]:
        """What stands on a shelf, by name; two plugins that claim one name are both there. Raises: PluginError."""
        if shelf not in SHELVES:
            raise PluginError(f'there is no shelf "{shelf}".', remedy=_nearest(shelf, SHELVES))
        return self._entries[shelf]

    def find(self, shelf: str, name: str) -> Entry:
        """The one thing called `name`, or "plugin:name", on a shelf.

        Raises: PluginError where there is none (with the nearest names, and the broken plugins that might have had it)
        or more than one (with the names that settle it).
        """
        wanted_plugin, _, bare = name.rpartition(":")
        found = [
            entry
            for entry in self.entries(shelf)
            if _matches(shelf, entry.name, bare) and (not wanted_plugin or same_name(entry.plugin) == same_name(wanted_plugin))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            who = " and ".join(f"{entry.plugin} ({entry.distribution} {entry.version})" for entry in found)
            ways = " or ".join(f'"{entry.plugin}:{entry.name}"' for entry in found)
            raise PluginError(f'the {shelf} "{bare}" is claimed by {who}.', remedy=f"Say which: {ways}.")
        remedy = _nearest(name, [entry.name for entry in self.entries(shelf)])
        for row in self._rows:
            if row.status != "ok":
                remedy += f"\n  The plugin {row.name} ({row.distribution} {row.version}) is {row.status}: {row.cause}"
        raise PluginError(f'there is no {shelf} "{name}".', remedy=remedy)

    def resolve(self, entry: Entry) -> Any:
        """Imports what the entry names. Raises: PluginError, naming the plugin, where that fails."""
        try:
            return entry.component.load()
        except Exception as error:
            raise PluginError(
                f'the {entry.shelf} "{entry.name}" of the plugin {entry.plugin} ({entry.distribution} {entry.version}) '
                f"cannot be imported from {entry.component.target}: {type(error).__name__}: {error}",
                remedy="Reinstall or report that plugin; everything else goes on working.",
            ) from error

    def load(self, shelf: str, name: str) -> Any:
        """`find`, then `resolve`."""
        return self.resolve(self.find(shelf, name))

    def recipe_path(self, entry: Entry) -> Path:
        """The file of a recipe on the shelf. Raises: PluginError where the plugin has it not."""
        package, _, inside = entry.component.target.partition(":")
        spec = find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        for folder in folders:
            for path in (Path(folder) / inside, Path(folder).parent / inside):
                if path.is_file():
                    return path
        raise PluginError(f'the recipe "{entry.name}" of the plugin {entry.plugin} is not at {entry.component.target}.')

    def events(self) -> pluggy.PluginManager:
        """A manager of its own for one run's events, with every healthy plugin on it."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(hookspecs)
        for name, plugin in self.manager.list_name_plugin():
            if plugin is not None:
                manager.register(plugin, name=name)
        return manager

    def _take(self, name: str, found: Sequence[tuple[EntryPoint, Distribution]]) -> None:
        entry_point, distribution = found[0]
        metadata = distribution.metadata
        row = PluginRow(name, metadata["Name"], distribution.version, "ok", summary=metadata.get("Summary", ""))
        if len(found) > 1:
            both = " and ".join(f"{dist.metadata['Name']} {dist.version}" for _, dist in found)
            self._refuse(row, "broken", f"the plugin name {name} is claimed by {both}; uninstall one of them")
            return
        if same_name(name) in self._disabled:
            self.manager.set_blocked(name)
            self._rows.append(replace(row, status="blocked", cause="named in GANZOO_DISABLE"))
            return
        try:
            plugin = entry_point.load()
            self.manager.register(plugin, name=name)
            self._check_hooks(plugin, name)
            entries = self._components_of(name, row)
        except Exception as error:
            self._refuse(row, "broken", f"{type(error).__name__}: {error}", error)
            return
        for entry in entries:
            self._entries[entry.shelf].append(entry)
        self._rows.append(row)

    def _refuse(self, row: PluginRow, status: str, cause: str, error: Exception | None = None) -> None:
        if self.manager.has_plugin(row.name):  # a registration that raised half-way leaves hooks behind
            self.manager.unregister(name=row.name)
        if self.strict:
            raise PluginError(f"the plugin {row.name} ({row.distribution} {row.version}) is {status}: {cause}") from error
        self._rows.append(replace(row, status=status, cause=cause))

    def _check_hooks(self, plugin: object, name: str) -> None:
        for caller in self.manager.get_hookcallers(plugin) or ():
            if not caller.has_spec():
                raise GanzooError(f"the hook {caller.name} is unknown: {name} needs a newer ganzoo")

    def _components_of(self, name: str, row: PluginRow) -> list[Entry]:
        hook = self.manager.subset_hook_caller(
            "ganzoo_components", [plugin for other, plugin in self.manager.list_name_plugin() if other != name and plugin]
        )
        entries = []
        for components in hook():
            for component in components:
                if not isinstance(component, Component):
                    raise TypeError(f"ganzoo_components returned {component!r}, which is not a ganzoo.Component")
                if component.shelf not in SHELVES:
                    raise GanzooError(f'"{component.name}" is for the shelf "{component.shelf}": {name} needs a newer ganzoo')
                entries.append(Entry(component, name, row.distribution, row.version))
        return entries


@cache
def zoo() -> Zoo:
    """The zoo of this process: the one piece of global state. GANZOO_DISABLE and GANZOO_STRICT are read here."""
    disabled = [name.strip() for name in os.environ.get("GANZOO_DISABLE", "").split(",") if name.strip()]
    return Zoo(disabled=disabled, strict=os.environ.get("GANZOO_STRICT", "") not in ("", "0"))


def same_name(name: str) -> str:
    """Plugin names are compared without regard to case, and to - or _."""
    return name.lower().replace("-", "_")


def _entry_points() -> dict[str, list[tuple[EntryPoint, Distribution]]]:
    """Entry-point name -> who claims it: importlib's own view has one of each name, and would hide a second."""
    found: dict[str, list[tuple[EntryPoint, Distribution]]] = {}
    seen: set[str] = set()
    for distribution in distributions():
        own = distribution.entry_points.select(group=PROJECT)
        if not own:
            continue
        key = same_name(distribution.metadata["Name"])
        if key in seen:  # the same distribution again, further down on sys.path: the first one wins, as for imports
            continue
        seen.add(key)
        for entry_point in own:
            found.setdefault(entry_point.name, []).append((entry_point, distribution))
    return found


def _matches(shelf: str, name: str, wanted: str) -> bool:
    return same_name(name) == same_name(wanted) if shelf == "recipe" else name == wanted


def _nearest(name: str, names: Iterable[str]) -> str:
    names = sorted(set(names))
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    said = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{said}There are: {', '.join(names)}." if names else f"{said}The shelf is empty."
