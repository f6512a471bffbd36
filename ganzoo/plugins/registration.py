"""Registers one plugin: imports its registration module, checks its hooks and collects its components."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import pluggy

from ganzoo.errors import GanzooError
from ganzoo.plugins.components import SHELVES, Component
from ganzoo.plugins.containment import error_text, is_interruption
from ganzoo.plugins.credit import NO_CREDIT, Credit
from ganzoo.plugins.discovery import Candidate, normalize_name
from ganzoo.plugins.hook_checks import did_you_mean_hook, uncalled_hooks
from ganzoo.plugins.plugin_frame import plugin_frame

MAX_COMPONENTS = 10_000
"""The most components of one plugin; a generator could go on for ever."""

SLOW_SECONDS = 1.0
"""Seconds of importing and registering from which on a plugin is named as slow."""

OUTDATED = "this plugin needs a newer ganzoo"


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
        """The shelf that it is on."""
        return self.component.shelf


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plugin as `ganzoo list plugins` shows it. status: "ok", "broken" or "blocked".

    cause: why it is not "ok"; for one that is, which of its components are left out and why (usually empty).
    credit: author, homepage and licence from its distribution; papers: those of its components, in their order.
    seconds: that importing and registering it took, at every start of ganzoo.
    """

    name: str
    distribution: str
    version: str
    status: str
    cause: str = ""
    credit: Credit = NO_CREDIT
    papers: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"

    @property
    def slow(self) -> str:
        """What is slow about this plugin, as a sentence; empty where nothing is."""
        if self.seconds <= SLOW_SECONDS:
            return ""
        return f"The plugin {self} takes {self.seconds:.1f} s to import, at every start of ganzoo."

    @property
    def problem(self) -> str:
        """Why components of this plugin may be missing, as a sentence; empty where all are registered."""
        state = "registered in part" if self.status == "ok" else self.status
        return f"The plugin {self} is {state}: {self.cause}" if self.cause else ""


class RegistrationError(GanzooError):
    """A plugin cannot be registered; the message is the cause that `ganzoo list plugins` shows."""


def register(manager: pluggy.PluginManager, candidate: Candidate) -> list[Entry]:
    """Imports and registers the plugin, and returns its components as entries.

    Raises: RegistrationError, with nothing of the plugin left in the manager.
    """
    # what a plugin prints at import would end up in the middle of `--json`
    with redirect_stdout(sys.stderr):
        try:
            plugin = _import(candidate)
            manager.register(plugin, name=candidate.name)
            _check_hooks(manager, plugin)
            return list(_entries(manager, plugin, candidate))
        except BaseException as error:
            if is_interruption(error):
                raise
            if manager.has_plugin(candidate.name):  # registered, perhaps half-way only: pluggy does not undo that
                manager.unregister(name=candidate.name)
            raise RegistrationError(describe_error(error, candidate.packages())) from error


def describe_error(error: BaseException, packages: Collection[str]) -> str:
    """An exception as one line: its type, its text, and the line of a plugin's file that it comes from.

    packages: the top-level modules of the plugins, as in `plugin_frame`.
    """
    message = " ".join(error_text(error).split())
    if isinstance(error, pluggy.PluginValidationError):
        return f"{OUTDATED}, or names a hook's argument wrongly: {message}"
    if isinstance(error, GanzooError):
        return message
    location = "" if isinstance(error, SyntaxError) else plugin_frame(error, packages)  # its text has file and line
    return f"{type(error).__name__}: {message or 'without a message'}{location}"


def _import(candidate: Candidate) -> object:
    if candidate.entry_point is None or candidate.metadata_error:
        raise RegistrationError(candidate.metadata_error)
    plugin = candidate.entry_point.load()
    if plugin is None:
        raise RegistrationError(f"its entry point {candidate.entry_point.value} is None")
    return plugin


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    callers = manager.get_hookcallers(plugin) or ()
    for name, why in uncalled_hooks(plugin):
        raise RegistrationError(f"its function {name} is never called: {why}{did_you_mean_hook(name)}")
    if not callers:
        raise RegistrationError("it implements no hook of ganzoo; is the marker @ganzoo.hookimpl missing?")
    for caller in callers:
        optional = all(impl.optionalhook for impl in caller.get_hookimpls() if impl.plugin is plugin)
        if not caller.has_spec() and not optional:
            unknown = f"it implements the hook {caller.name}, which this one does not know"
            raise RegistrationError(f"{OUTDATED}: {unknown}{did_you_mean_hook(caller.name)}")


def _entries(manager: pluggy.PluginManager, plugin: Any, candidate: Candidate) -> Iterable[Entry]:
    others = [other for _, other in manager.list_name_plugin() if other is not None and other is not plugin]
    seen = set()
    for components in manager.subset_hook_caller("ganzoo_components", others)():
        if isinstance(components, Component | str) or not isinstance(components, Iterable):
            raise RegistrationError(
                f"ganzoo_components returned {components!r}, which is not a list of ganzoo.Component"
            )
        for component in components:
            if not isinstance(component, Component):
                raise RegistrationError(f"ganzoo_components returned {component!r}, which is not a ganzoo.Component")
            if component.shelf not in SHELVES:
                shelf, name = component.shelf, component.name
                raise RegistrationError(f'{OUTDATED}: there is no shelf "{shelf}" here, where "{name}" is to stand')
            if (key := (component.shelf, lookup_key(component.shelf, component.name))) in seen:
                raise RegistrationError(f'it registers the {component.shelf} "{component.name}" twice')
            seen.add(key)
            if len(seen) > MAX_COMPONENTS:
                raise RegistrationError(f"ganzoo_components gives more than {MAX_COMPONENTS:,} components")
            yield Entry(component, candidate.name, candidate.distribution, candidate.version)


def lookup_key(shelf: str, name: str) -> str:
    """The form in which names are compared: recipes, which are named after files, may be written with - or _."""
    return normalize_name(name) if shelf == "recipe" else name
