"""Calls the plugins' event hooks during a run. A plugin that raises is reported by name; the run and the other plugins
go on.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Collection
from typing import Any

import pluggy

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins.containment import is_interruption
from ganzoo.plugins.hook_checks import check_observer
from ganzoo.plugins.hookspecs import hookimpl
from ganzoo.plugins.registration import PluginRow, describe_error


class GuardedHooks:
    """A plugin's hooks, each wrapped so that an exception in it is reported and does not stop the other plugins.

    pluggy's own call ends at the first implementation that raises. A GanzooError is not caught: it is meant for the
    user, and ends the run. Wrappers are not guarded: they are generators, and the exceptions that pass through them
    are raised elsewhere.
    """

    def __init__(self, row: PluginRow, packages: Callable[[], Collection[str]], strict: bool) -> None:
        self._row = row
        self._packages = packages
        self._strict = strict
        self._reported: set[str] = set()

    def add_hook(self, hook: str, impl: pluggy.HookImpl) -> None:
        """Adds one hook of the plugin, with its place in the order of calls."""
        marker = hookimpl(
            specname=hook,
            tryfirst=impl.tryfirst,
            trylast=impl.trylast,
            optionalhook=impl.optionalhook,
            wrapper=impl.wrapper,
            hookwrapper=impl.hookwrapper,
        )
        if impl.wrapper or impl.hookwrapper:

            def delegate(*arguments: Any) -> Any:
                generator: Any = impl.function(*arguments)
                return (yield from generator)

            called: Callable[..., Any] = delegate
        else:

            def guarded(*arguments: Any) -> Any:
                try:
                    result = impl.function(*arguments)
                    return self._valid_observers(result) if hook == "ganzoo_observers" else result
                except GanzooError:
                    raise
                except BaseException as error:
                    if is_interruption(error):
                        raise
                    self._report(hook, error)

            called = guarded
        # pluggy reads the argument names from the signature, which `wraps` preserves
        setattr(self, f"{hook}_{len(vars(self))}", marker(functools.wraps(impl.function, updated=())(called)))

    def _valid_observers(self, observers: Any) -> list[object]:
        """The observers of the plugin that can be called; the others are reported with the reason."""
        valid = []
        for observer in observers:
            try:
                check_observer(observer)
                valid.append(observer)
            except PluginError as error:
                self._report("ganzoo_observers", error)
        return valid

    def _report(self, hook: str, error: BaseException) -> None:
        message = f"the plugin {self._row} failed in {hook}: {describe_error(error, self._packages())}"
        if self._strict:
            raise PluginError(message) from error
        if hook not in self._reported:  # a hook that runs at every logged step is reported once
            self._reported.add(hook)
            warnings.warn(f"{message}. The run goes on.", stacklevel=2)


def create_events_manager(
    manager: pluggy.PluginManager, rows: dict[str, PluginRow], *, packages: Callable[[], Collection[str]], strict: bool
) -> pluggy.PluginManager:
    """A new manager with the plugins of `manager`, so that runs in one process do not receive each other's events."""
    events = empty_events_manager(manager.project_name)
    for name, plugin in manager.list_name_plugin():
        if plugin is None:
            continue
        guarded_hooks = GuardedHooks(rows[name], packages, strict)
        for caller in manager.get_hookcallers(plugin) or ():
            for impl in caller.get_hookimpls():
                if impl.plugin is plugin and caller.has_spec():
                    guarded_hooks.add_hook(caller.name, impl)
        events.register(guarded_hooks, name=name)
    return events


def empty_events_manager(project_name: str = "ganzoo") -> pluggy.PluginManager:
    """A manager with all hooks and no plugins."""
    from ganzoo.plugins import hookspecs

    events = pluggy.PluginManager(project_name)
    events.add_hookspecs(hookspecs)
    return events
