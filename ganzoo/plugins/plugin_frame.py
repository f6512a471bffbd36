"""The line of a plugin's code, or of the user's own file, that an exception comes from."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

ENGINE = __name__.partition(".")[0]
INSTALLED = ("site-packages", "dist-packages")
"""Names of folders that installers fill."""


def plugin_frame(error: BaseException, packages: Collection[str]) -> str:
    """The innermost frame that is a plugin's or the user's: " (ganzoo_mine/networks.py, line 31, in forward)".

    packages: the top-level modules of the plugins, wherever they are installed. The user's are all that belong neither
    to ganzoo, nor to the standard library, nor to an installed distribution. Empty where there is no such frame; the
    exceptions that this one was raised from are looked at then.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found = ""
        for trace in _traces(cause):
            code, module = trace.tb_frame.f_code, str(trace.tb_frame.f_globals.get("__name__", ""))
            if _is_theirs(code.co_filename, module, packages):
                function = "" if code.co_name == "<module>" else f", in {code.co_name}"
                found = f" ({_short(Path(code.co_filename), module)}, line {trace.tb_lineno}{function})"
        if found:
            return found
        cause = cause.__cause__
    return ""


def _traces(error: BaseException) -> Iterator[TracebackType]:
    """Where an exception went through, the innermost last."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_theirs(file: str, module: str, packages: Collection[str]) -> bool:
    package = module.partition(".")[0]
    if file.startswith("<") or package == ENGINE or package in sys.stdlib_module_names:
        return False
    return package in packages or not _is_installed(Path(file), module)


def _is_installed(file: Path, module: str) -> bool:
    """Whether an installer put the file there: into a folder of that name, or beside the metadata of distributions."""
    if any(part in INSTALLED for part in file.parts):
        return True
    root = file.parents[min(len(_inside(file, module)), len(file.parents)) - 1]
    return next(root.glob("*.dist-info"), None) is not None


def _short(file: Path, module: str) -> str:
    """The file as it is named from the folder of its package: "ganzoo_mine/networks.py"."""
    return "/".join(_inside(file, module))


def _inside(file: Path, module: str) -> tuple[str, ...]:
    """The last parts of a file's path, those that its module's name stands for; its name alone if they differ."""
    parts = tuple(module.split("."))
    wanted = (*parts, file.name) if file.stem == "__init__" else (*parts[:-1], file.name)
    fits = file.parts[-len(wanted) :] == wanted and file.stem in (parts[-1], "__init__")
    return wanted if fits else (file.name,)
