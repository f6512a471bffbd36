"""Finds the line of a plugin's code, or of the user's own file, that an exception comes from."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

ENGINE = __name__.partition(".")[0]
SITE_FOLDERS = ("site-packages", "dist-packages")
"""Names of folders into which packages are installed."""


def plugin_frame(error: BaseException, packages: Collection[str]) -> str:
    """The innermost frame in a plugin's or the user's code: " (ganzoo_mine/networks.py, line 31, in forward)".

    packages: the top-level modules of the plugins, wherever they are installed. All code outside ganzoo, the standard
    library and installed distributions counts as the user's. Where the exception has no such frame, those that it was
    raised from are searched; empty where none has one.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found = ""
        for trace in _traceback_entries(cause):
            code, module = trace.tb_frame.f_code, str(trace.tb_frame.f_globals.get("__name__", ""))
            if _is_plugin_code(code.co_filename, module, packages):
                function = "" if code.co_name == "<module>" else f", in {code.co_name}"
                found = f" ({_path_in_package(Path(code.co_filename), module)}, line {trace.tb_lineno}{function})"
        if found:
            return found
        cause = cause.__cause__
    return ""


def plugin_package(error: BaseException, packages: Collection[str]) -> str:
    """The top-level module of the innermost frame in a plugin's code; "" where there is none."""
    modules = (str(trace.tb_frame.f_globals.get("__name__", "")) for trace in _traceback_entries(error))
    found = [package for module in modules if (package := module.partition(".")[0]) in packages and package != ENGINE]
    return found[-1] if found else ""


def _traceback_entries(error: BaseException) -> Iterator[TracebackType]:
    """The entries of an exception's traceback, the innermost last."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_plugin_code(file: str, module: str, packages: Collection[str]) -> bool:
    package = module.partition(".")[0]
    if file.startswith("<") or package == ENGINE or package in sys.stdlib_module_names:
        return False
    return package in packages or not _is_installed(Path(file), module)


def _is_installed(file: Path, module: str) -> bool:
    """Whether the file was installed: it lies in a folder for packages, or next to the metadata of distributions."""
    if any(part in SITE_FOLDERS for part in file.parts):
        return True
    root = file.parents[min(len(_path_parts_in_package(file, module)), len(file.parents)) - 1]
    return next(root.glob("*.dist-info"), None) is not None


def _path_in_package(file: Path, module: str) -> str:
    """The file's path from its top-level package on: "ganzoo_mine/networks.py"."""
    return "/".join(_path_parts_in_package(file, module))


def _path_parts_in_package(file: Path, module: str) -> tuple[str, ...]:
    """The last parts of a file's path that correspond to its module's name; the file name only if they differ."""
    parts = tuple(module.split("."))
    wanted = (*parts, file.name) if file.stem == "__init__" else (*parts[:-1], file.name)
    fits = file.parts[-len(wanted) :] == wanted and file.stem in (parts[-1], "__init__")
    return wanted if fits else (file.name,)
