"""Checks for functions that look like hooks but would never be called, or would fail.

They have no marker, a misspelt name, or an argument that the hook does not pass. pluggy ignores the first two silently.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any, Final

import pluggy

from ganzoo.errors import PluginError
from ganzoo.plugins import hookspecs
from ganzoo.plugins.containment import error_text
from ganzoo.plugins.hookspecs import PROJECT

PREFIX = f"{PROJECT}_"
"""Prefix of all hook names, reserved for hooks in plugin modules and observers."""

HOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    name: spec.__code__.co_varnames[: spec.__code__.co_argcount]
    for name, spec in vars(hookspecs).items()
    if name.startswith(PREFIX) and isinstance(spec, FunctionType)
}
"""Hook -> the arguments that it passes."""

EVENTS = tuple(name for name, arguments in HOOKS.items() if "run" in arguments)
"""The hooks that are called on the observers of a run."""

MARKER = "@ganzoo.hookimpl"


def checked_observers(observers: object) -> tuple[object, ...]:
    """The observers of a run, checked.

    Raises: PluginError, naming class, method and remedy, where one would never be called, or called with arguments that
        it does not take.
    """
    if not isinstance(observers, Iterable):
        remedy = "Write observers=[...], even for one."
        raise PluginError(f"observers should be a list of objects; found {_name(observers)}.", remedy=remedy)
    all_observers = tuple(observers)
    for number, observer in enumerate(all_observers):
        check_observer(observer)
        if any(observer is other for other in all_observers[:number]):
            raise PluginError(f"the observer {_name(observer)} is given twice.", remedy="Give each object once.")
    return all_observers


def check_observer(observer: object) -> None:
    """Raises: PluginError where an observer's hooks would not be called."""
    owner = f"the observer {_name(observer)}"
    if uncalled := list(uncalled_hooks(observer)):
        name, why = uncalled[0]
        raise PluginError(f"{owner}: its method {name} is never called: {why}", remedy=_remedy(name))
    hooks = {name: options for name in dir(observer) if (options := _options(observer, name)) is not None}
    for name, options in hooks.items():
        hook = options["specname"] or name
        if hook not in HOOKS and not options["optionalhook"]:
            raise PluginError(f"{owner}: {name} is marked as the hook {hook}, which is none.", remedy=_remedy(hook))
        if isinstance(observer, type) and isinstance(inspect.getattr_static(observer, name), FunctionType):
            raise PluginError(f"{owner} is a class.", remedy=f"Give an object of it: {observer.__name__}().")
        wrong = [argument for argument in _arguments(getattr(observer, name)) if argument not in HOOKS.get(hook, ())]
        if wrong and hook in HOOKS:
            what = f"{owner}: {name} asks for {' and '.join(wrong)}, which the hook {hook} does not give."
            raise PluginError(what, remedy=f"It gives: {', '.join(HOOKS[hook]) or 'nothing'}.")
    if not {options["specname"] or name for name, options in hooks.items()} & {*EVENTS}:
        remedy = f"Mark a method with {MARKER}, called as one of these: {', '.join(EVENTS)}."
        raise PluginError(f"{owner} is never called: it implements no hook of a run.", remedy=remedy)
    try:
        trial = pluggy.PluginManager(PROJECT)
        trial.add_hookspecs(hookspecs)
        trial.register(observer)
    except Exception as error:  # for example a wrapper that is not a generator
        raise PluginError(f"{owner} cannot be registered: {' '.join(error_text(error).split())}") from error


def uncalled_hooks(plugin: object) -> Iterator[tuple[str, str]]:
    """Functions that are named like hooks but would never be called: (name, reason)."""
    for name in dir(plugin):
        if not name.startswith(PREFIX):
            continue
        function = getattr(plugin, name, None)
        if not callable(function) or isinstance(function, type | ModuleType) or _options(plugin, name) is not None:
            continue
        if not inspect.isroutine(function):
            yield name, f"it is a {type(function).__name__}, and hooks are functions or methods"
        elif name in HOOKS:
            yield name, f"is the marker {MARKER} missing?"
        else:
            yield name, "ganzoo has no such hook"


def did_you_mean_hook(name: str) -> str:
    """A suggestion, "; did you mean ganzoo_metrics?", or an empty string where no hook has a similar name."""
    close = [] if name in HOOKS else difflib.get_close_matches(name, HOOKS, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _remedy(name: str) -> str:
    if name in HOOKS:
        return f"Write it as a method, with {MARKER} in the line above."
    close = difflib.get_close_matches(name, EVENTS, n=1)
    return f"{f'Did you mean {close[0]}? ' if close else ''}The hooks of a run: {', '.join(EVENTS)}."


def _options(plugin: object, name: str) -> Mapping[str, Any] | None:
    """The options with which an attribute is marked as a hook; None where it is not marked."""
    try:
        return pluggy.PluginManager(PROJECT).parse_hookimpl_opts(plugin, name)
    except Exception:  # a property that raises
        return None


def _arguments(method: Any) -> Iterator[str]:
    """The arguments that pluggy passes to an implementation: the positional ones without a default."""
    for name, parameter in inspect.signature(method).parameters.items():
        by_position = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if by_position and parameter.default is parameter.empty:
            yield name


def _name(observer: object) -> str:
    """An observer's class; a class's or a module's own name."""
    return observer.__name__ if isinstance(observer, type | ModuleType) else type(observer).__name__
