"""Shell completion of recipes, shelves, and names of components. Imports no torch.

click calls each function with its context, the parameter, and the incomplete word. They print and raise nothing,
because the shell would show that in the middle of the line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem

from ganzoo.errors import GanzooError
from ganzoo.plugins import zoo
from ganzoo.plugins.components import SHELVES


def recipes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Matching installed recipes, folders and .toml files."""
    return [*_named(("recipe",), incomplete), *_files(incomplete)]


def suites(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Matching shipped suites, folders and .toml files."""
    from ganzoo.evaluation.suites.lookup import installed

    return [*(CompletionItem(name) for name in installed() if name.startswith(incomplete)), *_files(incomplete)]


def shelves(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shelves, as `ganzoo list` takes them."""
    return [CompletionItem(name) for name in (*SHELVES.values(), "plugins") if name.startswith(incomplete)]


def names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Everything that `ganzoo show` can show."""
    return [*_named(tuple(SHELVES), incomplete), *_plugins(incomplete), *_files(incomplete)]


def plugins(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed plugins."""
    return list(_plugins(incomplete))


def _named(wanted: tuple[str, ...], incomplete: str) -> Iterator[CompletionItem]:
    """Matching names of components, each once, although a generator and its discriminator often share a name."""
    helps: dict[str, list[str]] = {}
    try:
        for shelf in wanted:
            for entry in zoo().entries(shelf):
                summary = entry.component.summary if len(wanted) == 1 else f"{shelf}: {entry.component.summary}"
                helps.setdefault(zoo().qualified_name(entry), []).append(summary)
    except GanzooError:  # with GANZOO_STRICT and a broken plugin; every other command reports it
        return
    for name, summaries in helps.items():
        if name.startswith(incomplete):
            yield CompletionItem(name, help="; ".join(summaries))


def _plugins(incomplete: str) -> Iterator[CompletionItem]:
    try:
        rows = zoo().plugins()
    except GanzooError:
        return
    yield from (CompletionItem(row.name, help=f"plugin: {row}") for row in rows if row.name.startswith(incomplete))


def _files(incomplete: str) -> Iterator[CompletionItem]:
    """Matching folders and .toml files; names that cannot be printed on one line are left out."""
    folder, slash, start = incomplete.rpartition("/")
    try:
        found = sorted(os.listdir(folder + slash or "."))  # noqa: PTH208  # names are all that is needed
    except (OSError, ValueError):
        return
    for name in found:
        if name.startswith(start) and (start or not name.startswith(".")) and name.isprintable():
            if os.path.isdir(folder + slash + name):  # noqa: PTH112  # it never raises
                yield CompletionItem(f"{folder}{slash}{name}/")
            elif name.endswith(".toml"):
                yield CompletionItem(f"{folder}{slash}{name}")
