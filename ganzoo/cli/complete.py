"""Shell completion of recipes, shelves and names. See `docs/recipes.md` for how to switch it on."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ganzoo.components import SHELVES
from ganzoo.plugins import zoo


def recipes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Installed recipes, and the .toml files that begin so."""
    named = [CompletionItem(e.name, help=e.component.summary) for e in zoo().entries("recipe") if e.name.startswith(incomplete)]
    folder, _, start = incomplete.rpartition("/")
    found = sorted(Path(folder or ".").glob(f"{start}*"))
    files = [f"{path}/" if path.is_dir() else str(path) for path in found if path.is_dir() or path.suffix == ".toml"]
    return [*named, *(CompletionItem(file) for file in files)]


def shelves(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shelf names, as `ganzoo list` takes them."""
    return [CompletionItem(name) for name in (*SHELVES.values(), "plugins") if name.startswith(incomplete)]


def names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Everything that `ganzoo show` can show."""
    shown = [
        CompletionItem(entry.name, help=f"{shelf}: {entry.component.summary}")
        for shelf in SHELVES
        for entry in zoo().entries(shelf)
        if entry.name.startswith(incomplete)
    ]
    return shown + [item for item in recipes(ctx, param, incomplete) if item.value.endswith((".toml", "/"))]
