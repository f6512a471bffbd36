"""Lets one plugin in: imports its registration module, checks its hooks and takes what it puts on the shelves."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import pluggy

from ganzoo.errors import GanzooError
from ganzoo.plugins.components import SHELVES, Component
from ganzoo.plugins.credit import NOBODY, Credit
from ganzoo.plugins.discovery import Claim, same_name
from ganzoo.plugins.hook_checks import did_you_mean_hook, stray_hooks
from ganzoo.plugins.plugin_frame import plugin_frame

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
        """The shelf it stands on."""
        return self.component.shelf


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plugin as `ganzoo list plugins` shows it. status: "ok", "broken" or "blocked".

    cause: why, if not ok; of one that is, which of its components are left out, and why (mostly empty).
    credit: whose work it is, as its distribution says; papers: those that its components name, in their order.
    """

    name: str
    distribution: str
    version: str
    status: str
    cause: str = ""
    credit: Credit = NOBODY
    papers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"

    @property
    def trouble(self) -> str:
        """Why something of this plugin may be missing, as a sentence; empty where all of it is there."""
        state = "registered in part" if self.status == "ok" else self.status
        return f"The plugin {self} is {state}: {self.cause}" if self.cause else ""


class RefusedError(GanzooError):
    """A plugin cannot come in; the message is the cause as its row in `ganzoo list plugins` gives it."""


def register(manager: pluggy.PluginManager, claim: Claim) -> list[Entry]:
    """Imports and registers the plugin, and returns what it puts on the shelves.

    Raises: RefusedError, with nothing of the plugin left in the manager.
    """
    # what a plugin prints at import would end up in the middle of `--json`
    with redirect_stdout(sys.stderr):
        try:
            plugin = _import(claim)
            manager.register(plugin, name=claim.name)
            _check_hooks(manager, plugin)
            return list(_entries(manager, plugin, claim))
        except (Exception, SystemExit) as error:
            if manager.has_plugin(claim.name):  # registered, perhaps half-way only: pluggy does not undo that
                manager.unregister(name=claim.name)
            raise RefusedError(cause_of(error, claim.packages())) from error


def cause_of(error: BaseException, packages: Collection[str]) -> str:
    """An exception as one line: its kind, its text, and the line of a plugin's file that it comes from.

    packages: the top-level modules of the plugins, as `plugin_frame` takes them.
    """
    said = " ".join(str(error).split())
    if isinstance(error, pluggy.PluginValidationError):
        return f"{OUTDATED}, or names a hook's argument wrongly: {said}"
    if isinstance(error, GanzooError):
        return said
    place = "" if isinstance(error, SyntaxError) else plugin_frame(error, packages)  # its text has file and line
    return f"{type(error).__name__}: {said or 'without a message'}{place}"


def _import(claim: Claim) -> object:
    if claim.entry_point is None or claim.damage:
        raise RefusedError(claim.damage)
    plugin = claim.entry_point.load()
    if plugin is None:
        raise RefusedError(f"its entry point {claim.entry_point.value} is None")
    return plugin


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    callers = manager.get_hookcallers(plugin) or ()
    for name, why in stray_hooks(plugin):
        raise RefusedError(f"its function {name} is never called: {why}{did_you_mean_hook(name)}")
    if not callers:
        raise RefusedError("it implements no hook of ganzoo; is the marker @ganzoo.hookimpl missing?")
    for caller in callers:
        optional = all(impl.optionalhook for impl in caller.get_hookimpls() if impl.plugin is plugin)
        if not caller.has_spec() and not optional:
            unknown = f"it implements the hook {caller.name}, which this one does not know"
            raise RefusedError(f"{OUTDATED}: {unknown}{did_you_mean_hook(caller.name)}")


def _entries(manager: pluggy.PluginManager, plugin: Any, claim: Claim) -> Iterable[Entry]:
    others = [other for _, other in manager.list_name_plugin() if other is not None and other is not plugin]
    seen = set()
    for components in manager.subset_hook_caller("ganzoo_components", others)():
        if isinstance(components, Component | str) or not isinstance(components, Iterable):
            raise RefusedError(f"ganzoo_components returned {components!r}, which is not a list of ganzoo.Component")
        for component in components:
            if not isinstance(component, Component):
                raise RefusedError(f"ganzoo_components returned {component!r}, which is not a ganzoo.Component")
            if component.shelf not in SHELVES:
                shelf, name = component.shelf, component.name
                raise RefusedError(f'{OUTDATED}: there is no shelf "{shelf}" here, where "{name}" is to stand')
            if (key := (component.shelf, name_on(component.shelf, component.name))) in seen:
                raise RefusedError(f'it registers the {component.shelf} "{component.name}" twice')
            seen.add(key)
            yield Entry(component, claim.name, claim.distribution, claim.version)


def name_on(shelf: str, name: str) -> str:
    """The name as it is compared: recipes, which are named after files, may be written with - or _."""
    return same_name(name) if shelf == "recipe" else name
