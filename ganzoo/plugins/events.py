"""Tells plugins of a run. A plugin that raises is reported by name, and neither the run nor the next one suffers."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection
from typing import Any

import pluggy

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins.hook_checks import check_observer
from ganzoo.plugins.hookspecs import hookimpl
from ganzoo.plugins.registration import PluginRow, cause_of


class Listener:
    """A plugin's hooks, guarded one by one. pluggy's own call ends at the first listener that raises.

    A GanzooError goes through: it is meant for the user, and ends the run. Wrappers go unguarded: they are generators,
    and what they let through is not theirs.
    """

    def __init__(self, row: PluginRow, packages: Callable[[], Collection[str]], strict: bool) -> None:
        self._row = row
        self._packages = packages
        self._strict = strict
        self._reported: set[str] = set()

    def listen(self, hook: str, impl: pluggy.HookImpl) -> None:
        """Takes over one hook of the plugin, with its place in the order of calls."""
        marker = hookimpl(
            specname=hook,
            tryfirst=impl.tryfirst,
            trylast=impl.trylast,
            optionalhook=impl.optionalhook,
            wrapper=impl.wrapper,
            hookwrapper=impl.hookwrapper,
        )
        if impl.wrapper or impl.hookwrapper:

            def pass_on(*facts: Any) -> Any:
                generator: Any = impl.function(*facts)
                return (yield from generator)

            called: Callable[..., Any] = pass_on
        else:

            def guard(*facts: Any) -> Any:
                try:
                    result = impl.function(*facts)
                    return self._heard(result) if hook == "ganzoo_observers" else result
                except GanzooError:
                    raise
                except Exception as error:
                    self._report(hook, error)

            called = guard
        # pluggy reads the arguments' names from the signature, which `wraps` carries over
        setattr(self, f"{hook}_{len(vars(self))}", marker(functools.wraps(impl.function, updated=())(called)))

    def _heard(self, observers: Any) -> list[object]:
        """Those of the plugin's observers that can be called; of the others it is said why not."""
        sound = []
        for observer in observers:
            try:
                check_observer(observer)
                sound.append(observer)
            except PluginError as error:
                self._report("ganzoo_observers", error)
        return sound

    def _report(self, hook: str, error: Exception) -> None:
        said = f"the plugin {self._row} failed in {hook}: {cause_of(error, self._packages())}"
        if self._strict:
            raise PluginError(said) from error
        if hook not in self._reported:  # a hook of every logged step would say the same a thousand times
            self._reported.add(hook)
            warnings.warn(f"{said}. The run goes on.", stacklevel=2)


def events_manager(
    manager: pluggy.PluginManager, rows: dict[str, PluginRow], *, packages: Callable[[], Collection[str]], strict: bool
) -> pluggy.PluginManager:
    """A new manager with the plugins of `manager`, so that two runs in one process do not hear each other."""
    events = nobody(manager.project_name)
    for name, plugin in manager.list_name_plugin():
        if plugin is None:
            continue
        listener = Listener(rows[name], packages, strict)
        for caller in manager.get_hookcallers(plugin) or ():
            for impl in caller.get_hookimpls():
                if impl.plugin is plugin and caller.has_spec():
                    listener.listen(caller.name, impl)
        events.register(listener, name=name)
    return events


def nobody(project_name: str = "ganzoo") -> pluggy.PluginManager:
    """A manager with every hook and without a plugin."""
    from ganzoo.plugins import hookspecs

    events = pluggy.PluginManager(project_name)
    events.add_hookspecs(hookspecs)
    return events
