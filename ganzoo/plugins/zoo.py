"""The registry: every component of every working plugin by shelf and name, its origin, and how to import it."""

from __future__ import annotations

import difflib
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pluggy

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins import hookspecs
from ganzoo.plugins.builtin import COMMANDS
from ganzoo.plugins.components import SHELVES
from ganzoo.plugins.containment import error_text, is_interruption
from ganzoo.plugins.discovery import Candidate, find_candidates, normalize_name
from ganzoo.plugins.events import create_events_manager
from ganzoo.plugins.hookspecs import PROJECT
from ganzoo.plugins.plugin_frame import plugin_frame, plugin_package
from ganzoo.plugins.registration import Entry, PluginRow, RegistrationError, describe_error, lookup_key, register


class Zoo:
    """Every plugin on this machine and its components. Constructing it imports their registration modules only.

    disabled: names of plugins, or of their distributions, that are not imported; strict: a broken plugin raises
    PluginError, here or in an event, instead of only being reported.
    """

    def __init__(self, *, disabled: Iterable[str] = (), strict: bool = False) -> None:
        self.strict = strict
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._rows: list[PluginRow] = []
        self._entries: dict[str, list[Entry]] = {shelf: [] for shelf in SHELVES}
        self._disabled = {normalize_name(name) for name in disabled}
        self._candidates = find_candidates()
        for group in self._candidates:
            self._register_candidates(group)
        for entries in self._entries.values():
            entries.sort(key=lambda entry: (entry.name, entry.plugin))

    def plugins(self) -> list[PluginRow]:
        """Every plugin found, working or not, by name."""
        return list(self._rows)

    @cached_property
    def packages(self) -> frozenset[str]:
        """The top-level modules of all plugins, for `plugin_frame`."""
        return frozenset().union(*(candidate.packages() for group in self._candidates for candidate in group))

    def entries(self, shelf: str) -> list[Entry]:
        """The entries of a shelf by name, including all that share a name. Raises: PluginError for an unknown shelf."""
        if shelf not in SHELVES:
            raise PluginError(f'there is no shelf "{shelf}".', remedy=suggest_names(shelf, SHELVES))
        return list(self._entries[shelf])

    def find(self, shelf: str, name: str, *, prefer: Callable[[Sequence[Entry]], Entry | None] | None = None) -> Entry:
        """The one entry called `name`, or "plugin:name", on a shelf.

        prefer: chooses among the entries that have a plain name, None where it cannot tell; see `recipe.namesakes`.
        Raises: PluginError where there is none (with similar names, and the broken plugins that may provide it) or more
        than one (with the qualified names to choose from).
        """
        plugin, _, bare = name.rpartition(":")
        of_plugin = [
            entry
            for entry in self.entries(shelf)
            if not plugin or normalize_name(entry.plugin) == normalize_name(plugin)
        ]
        found = [entry for entry in of_plugin if lookup_key(shelf, entry.name) == lookup_key(shelf, bare)]
        chosen = prefer(found) if prefer and found and not plugin else None
        if chosen or len(found) == 1:
            return chosen or found[0]
        if found:
            who = " and ".join(f"{entry.plugin} ({entry.distribution} {entry.version})" for entry in found)
            ways = " or ".join(f'"{self.qualified_name(entry)}"' for entry in found)
            raise PluginError(f'the {shelf} "{bare}" is claimed by {who}.', remedy=f"Say which: {ways}.")
        if plugin and not any(normalize_name(row.name) == normalize_name(plugin) for row in self._rows):
            raise PluginError(
                f'there is no plugin "{plugin}", which "{name}" asks for.',
                remedy="Is it installed? " + suggest_names(plugin, [row.name for row in self._rows]),
            )
        remedy = [suggest_names(bare, [entry.name for entry in of_plugin])]
        for row in self._rows:
            concerned = row.status != "ok" or shelf == "command"  # commands alone can be left out of a healthy plugin
            if row.problem and concerned and (not plugin or normalize_name(row.name) == normalize_name(plugin)):
                remedy.append(row.problem)
        raise PluginError(f'there is no {shelf} "{name}".', remedy="\n  ".join(remedy))

    def find_plugins(self, name: str) -> list[PluginRow]:
        """Every plugin of this name, its own or its distribution's; an empty list where there is none."""
        wanted = normalize_name(name)
        return [row for row in self._rows if wanted in (normalize_name(row.name), normalize_name(row.distribution))]

    def owner_of(self, error: BaseException) -> PluginRow | None:
        """The plugin whose code raised an exception, by its innermost frame in one; None where that is in none."""
        package = plugin_package(error, self.packages)
        for candidate in (candidate for group in self._candidates for candidate in group):
            if package and package in candidate.packages():
                return next((row for row in self._rows if row.name == candidate.name), None)
        return None

    def plugin_of(self, entry: Entry) -> PluginRow:
        """The plugin that registered this entry."""
        return next(row for row in self._rows if row.status == "ok" and row.name == entry.plugin)

    def same_distribution(self, one: str, other: str) -> bool:
        """Whether two names are one distribution's: "ganzoo-my-gan" and "ganzoo_my_gan" are."""
        return normalize_name(one) == normalize_name(other)

    def requires(self, distribution: str, other: str) -> bool:
        """Whether a distribution requires another one, directly or by one of its extras."""
        try:
            lines = requires(distribution) or []
        except Exception:  # it is gone, or its metadata are damaged
            return False
        names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines)
        return normalize_name(other) in {normalize_name(name[0]) for name in names if name}

    def recipe_distribution(self, path: Path) -> str:
        """The distribution that ships the recipe in that file; "" for a user's own."""
        return self._shipped_recipes.get(path.resolve(), "")

    @cached_property
    def _shipped_recipes(self) -> dict[Path, str]:
        found = {}
        for entry in self._entries["recipe"]:
            with suppress(PluginError):
                found[self.recipe_path(entry)] = entry.distribution
        return found

    def qualified_name(self, entry: Entry) -> str:
        """The name by which a recipe refers to it: its own, or "plugin:name" where other plugins have that name too."""
        name = lookup_key(entry.shelf, entry.name)
        unique = sum(lookup_key(entry.shelf, other.name) == name for other in self._entries[entry.shelf]) == 1
        return entry.name if unique else f"{entry.plugin}:{entry.name}"

    def resolve(self, entry: Entry) -> Any:
        """Imports the entry's target. Raises: PluginError, naming the plugin, where that fails."""
        where = f"of the plugin {entry.plugin} ({entry.distribution} {entry.version})"
        try:
            found = entry.component.load()
        except BaseException as error:
            if is_interruption(error):
                raise
            raise PluginError(
                f'the {entry.shelf} "{entry.name}" {where} cannot be imported from {entry.component.target}: '
                f"{describe_error(error, {*self.packages, entry.component.package})}",
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
        """The file of a recipe on the shelf. Raises: PluginError where the plugin does not have it."""
        package, _, inside = entry.component.target.partition(":")
        try:
            spec = find_spec(package)
        except BaseException as error:  # a package whose parent cannot be imported
            if is_interruption(error):
                raise
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

    def events_manager(self) -> pluggy.PluginManager:
        """A new manager for the events of one run, with every working plugin registered and each call guarded."""
        return create_events_manager(
            self._manager,
            {row.name: row for row in self._rows if row.status == "ok"},
            packages=lambda: self.packages,
            strict=self.strict,
        )

    def _register_candidates(self, group: list[Candidate]) -> None:
        """Registers the one candidate for a name. If several are not blocked, none of them is registered."""
        blocked = [c for c in group if self._disabled & {normalize_name(c.name), normalize_name(c.distribution)}]
        for candidate in blocked:
            self._add_row(candidate, "blocked", "named in GANZOO_DISABLE")
        enabled = [candidate for candidate in group if candidate not in blocked]
        if len(enabled) > 1:
            who = " and ".join(str(candidate) for candidate in enabled)
            for candidate in enabled:
                self._reject(candidate, f"the name {candidate.name} is claimed by {who}; uninstall one of them")
        elif enabled:
            self._register(enabled[0])

    def _register(self, candidate: Candidate) -> None:
        began = time.perf_counter()
        try:
            entries = register(self._manager, candidate)
        except RegistrationError as error:
            self._reject(candidate, str(error), error, seconds=time.perf_counter() - began)
            return
        seconds = time.perf_counter() - began
        shadowing = (
            []
            if normalize_name(candidate.distribution) == PROJECT
            else [entry for entry in entries if shadows_builtin_command(entry)]
        )
        causes = [f'its command "{entry.name}" is left out: ganzoo has a command of that name' for entry in shadowing]
        if causes and self.strict:
            raise PluginError(f"the plugin {candidate.name} ({candidate}): {'; '.join(causes)}")
        kept = [entry for entry in entries if entry not in shadowing]
        for entry in kept:
            self._entries[entry.shelf].append(entry)
        papers = dict.fromkeys(entry.component.paper for entry in kept if entry.component.paper)
        self._add_row(candidate, "ok", "; ".join(causes), papers=tuple(papers), seconds=seconds)

    def _reject(
        self, candidate: Candidate, cause: str, error: Exception | None = None, *, seconds: float = 0.0
    ) -> None:
        if self.strict:
            raise PluginError(f"the plugin {candidate.name} ({candidate}) is broken: {cause}") from error
        self._add_row(candidate, "broken", cause, seconds=seconds)

    def _add_row(
        self,
        candidate: Candidate,
        status: str,
        cause: str = "",
        *,
        papers: tuple[str, ...] = (),
        seconds: float = 0.0,
    ) -> None:
        row = PluginRow(
            candidate.name, candidate.distribution, candidate.version, status, cause, candidate.credit, papers, seconds
        )
        self._rows.append(row)


def shadows_builtin_command(entry: Entry) -> bool:
    """Whether it has the name of one of ganzoo's own commands, which no plugin may take."""
    return entry.shelf == "command" and normalize_name(entry.name) in {name for name, *_ in COMMANDS}


@cache
def zoo() -> Zoo:
    """The zoo of this process: the one piece of global state. GANZOO_DISABLE and GANZOO_STRICT are read here."""
    disabled = [name.strip() for name in os.environ.get("GANZOO_DISABLE", "").split(",") if name.strip()]
    return Zoo(disabled=disabled, strict=os.environ.get("GANZOO_STRICT", "") not in ("", "0"))


def error_location(error: BaseException) -> str:
    """The place in a plugin's or the user's file that an exception comes from, to append to its text.

    See `plugin_frame`. Empty for a GanzooError, whose text is meant for the user and says what to do.
    """
    if isinstance(error, GanzooError):
        return ""
    constructed = zoo.cache_info().currsize > 0  # the exception may come from constructing it
    return plugin_frame(error, zoo().packages if constructed else ())


def error_report(error: BaseException) -> str:
    """An exception in words: its type, its text and the place of `error_location`; of a GanzooError its text alone."""
    text = error_text(error)
    return text if isinstance(error, GanzooError) else f"{type(error).__name__}: {text}{error_location(error)}"


def error_owner(error: BaseException) -> PluginRow | None:
    """The plugin whose code raised an exception, or that from which it was raised; None where that is in none."""
    if not zoo.cache_info().currsize:  # the exception comes from constructing it
        return None
    return zoo().owner_of(error) or (error_owner(error.__cause__) if error.__cause__ else None)


def suggest_names(name: str, names: Iterable[str]) -> str:
    """What to write instead: the names that are similar to `name`, and all that exist."""
    names = sorted(set(names))
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    suggestion = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{suggestion}There are: {', '.join(names)}." if names else "There are none."
