"""`ganzoo show`: a component with its options, a plugin, or every effective value of a recipe and its origin."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.complete import names
from ganzoo.errors import GanzooError
from ganzoo.plugins import Entry, PluginRow, zoo
from ganzoo.plugins.components import SHELVES

if TYPE_CHECKING:
    from ganzoo.recipe.model import Recipe


@click.command()
@click.argument("name", shell_complete=names)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one key of the recipe first; repeatable."
)
@click.option(
    "--unset", multiple=True, metavar="KEY", help="Take one key or table out of the recipe first; repeatable."
)
@click.option("--data-root", type=click.Path(path_type=Path), metavar="DIR", help="The folder of all data sets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(name: str, overrides: tuple[str, ...], unset: tuple[str, ...], data_root: Path | None, as_json: bool) -> None:
    """Show everything about NAME: a recipe (a .toml file, or an installed one's name), a component on any shelf, or a
    plugin.

    For a recipe: every effective value and where it comes from, and the networks that it builds for its data. For a
    component: its options with their types and defaults, its paper, author and plugin, and the recipes that use it. For
    a command: its help. For a plugin: its author, and its components.
    """
    plugins = [] if is_file(name) else zoo().find_plugins(name)
    entries = [] if is_file(name) else find(name, or_none=bool(plugins))
    recipe = None
    if is_file(name) or any(entry.shelf == "recipe" for entry in entries):
        from ganzoo.recipe import read_recipe

        recipe = read_recipe(name, unset=unset, overrides=overrides)
    elif overrides or unset or data_root:
        option = "--set" if overrides else "--unset" if unset else "--data-root"
        raise click.UsageError(f"{option} is for recipes, and {name} is none.")
    components = [component_facts(entry) for entry in entries if entry.shelf != "recipe"]
    facts = {"name": name, "recipe": recipe and recipe_facts(recipe, data_root), "components": components}
    facts["plugins"] = [plugin_facts(row) for row in plugins]
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    elif sys.stdout.isatty():
        print_pretty(facts)
    else:
        print_plain(facts)


def is_file(name: str) -> bool:
    """Whether `name` is that of a file, and not of a component or an installed recipe."""
    path = Path(name)
    return path.suffix.lower() == ".toml" or len(path.parts) > 1 or os.path.isfile(name)  # noqa: PTH113  # it never raises


def find(name: str, *, or_none: bool = False) -> list[Entry]:
    """The entries called `name`, or "plugin:name", on any shelf. Raises: GanzooError without any, unless `or_none`."""
    plugin, _, bare = name.rpartition(":")
    everything = [entry for shelf in SHELVES for entry in zoo().entries(shelf)]
    found = [entry for entry in everything if _has_name(entry, bare) and plugin in ("", entry.plugin)]
    if not found and not or_none:
        from ganzoo.recipe.messages import did_you_mean

        known = sorted({entry.name for entry in everything} | {row.name for row in zoo().plugins()})
        raise GanzooError(
            f'there is nothing called "{name}" on any shelf, no such plugin, and no such file.',
            remedy=f"{did_you_mean(bare, known)}`ganzoo list` shows what there is.",
        )
    return found


def recipe_facts(recipe: Recipe, data_root: Path | None = None) -> dict[str, Any]:
    """A recipe's values with their origins, and its networks, as `--json` prints them."""
    from ganzoo.recipe.keys import format_key
    from ganzoo.recipe.saved import leaves

    values = {format_key(key): value for key, value in leaves(recipe.values)}
    return {
        "name": recipe.name,
        "file": recipe.file,
        "description": recipe.description,
        "values": {key: {"value": values.get(key), "from": at.text} for key, at in recipe.origins.items()},
        "networks": network_facts(recipe, data_root),
    }


def network_facts(recipe: Recipe, data_root: Path | None) -> dict[str, Any]:
    """A recipe's networks for its data, as `--json` prints them; where they cannot be built, "unknown" is the reason.

    Only the data set's description is read, and nothing is downloaded.
    """
    from ganzoo.datasets.obtain import obtain
    from ganzoo.datasets.root import data_root as find_data_root
    from ganzoo.recipe.network_plans import network_plans

    facts: dict[str, Any] = {"dataset": recipe.dataset.entry.name, "sample_shape": None, "built": [], "unknown": ""}
    try:
        obtained = obtain(recipe.dataset, recipe.fallback, find_data_root(data_root), allow_fallback=True)
        facts |= {"dataset": obtained.choice.entry.name, "sample_shape": list(obtained.info.sample_shape)}
        facts["built"] = [asdict(network) for network in network_plans(recipe, obtained.info)]
    except GanzooError as error:
        facts["unknown"] = " ".join(f"{error.what} {error.remedy}".split())
    return facts


def component_facts(entry: Entry) -> dict[str, Any]:
    """The facts about one component, as `--json` prints them."""
    described = command_details(entry) if entry.shelf == "command" else component_details(entry)
    return {
        "shelf": entry.shelf,
        "name": entry.name,
        "summary": entry.component.summary,
        "paper": entry.component.paper,
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
        "author": ", ".join(zoo().plugin_of(entry).credit.authors),
        **described,
    }


def command_details(entry: Entry) -> dict[str, Any]:
    """The description and parameters of a command; no recipe uses one."""
    from ganzoo.cli.command_help import command_facts

    return {**command_facts(entry), "recipes": []}


def component_details(entry: Entry) -> dict[str, Any]:
    """A component's docstring, the options of its constructor, and the recipes that use it."""
    from ganzoo.recipe.messages import describe_type
    from ganzoo.recipe.options import options_of

    target = zoo().resolve(entry)
    owner = f'{entry.shelf} "{entry.name}" of {entry.distribution} {entry.version}'
    options = options_of(target, shelf=entry.shelf, owner=owner) if entry.shelf != "metric" else {}
    return {
        "description": inspect.cleandoc(getattr(target, "__doc__", None) or ""),
        "options": [
            {
                "name": option.name,
                "type": describe_type(option.annotation),
                "default": None if option.required or option.from_data else _plain(option.default),
                "required": option.required,
                "from_data": option.from_data,
            }
            for option in options.values()
        ],
        "recipes": [recipe.name for recipe in zoo().entries("recipe") if uses(recipe, entry)],
    }


def plugin_facts(row: PluginRow) -> dict[str, Any]:
    """The facts about a plugin, as `--json` prints them. A broken or blocked plugin has no components."""
    everything = (entry for shelf in SHELVES for entry in zoo().entries(shelf))
    own = [entry for entry in everything if row.status == "ok" and entry.plugin == row.name]
    return {
        "name": row.name,
        "summary": row.credit.summary,
        "status": row.status,
        "cause": row.cause,
        "distribution": row.distribution,
        "version": row.version,
        "author": ", ".join(row.credit.authors),
        "homepage": row.credit.homepage,
        "licence": row.credit.licence,
        "components": [
            {"shelf": c.shelf, "name": c.name, "summary": " ".join(c.summary.split()), "paper": c.paper}
            for c in (entry.component for entry in own)
        ],
    }


def uses(recipe: Entry, entry: Entry) -> bool:
    """Whether an installed recipe uses a component. An unreadable recipe uses none."""
    from ganzoo.recipe.source import read_source

    try:
        values = read_source(zoo().recipe_path(recipe)).values
    except GanzooError:
        return False
    return any(
        name.rpartition(":")[2] == entry.name and name.rpartition(":")[0] in ("", entry.plugin)
        for name in _component_names(values, entry.shelf)
    )


def _component_names(values: Mapping[str, Any], shelf: str) -> Iterator[str]:
    """The names on a shelf that an unchecked recipe uses."""
    table = values.get(shelf, {"name": "two-player"} if shelf == "game" else {})
    tables = [table]
    if shelf in ("optimizer", "schedule") and isinstance(table, dict):
        tables = list(table.values())
    elif isinstance(table, list):
        tables = table
    elif shelf == "dataset" and isinstance(table, dict):
        fallback = table.get("fallback")
        tables = [table, {"name": fallback} if isinstance(fallback, str) else fallback]
    for one in tables:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield one["name"]


def print_plain(facts: Mapping[str, Any]) -> None:
    """Prints lines for pipes and files; those of a recipe are TOML with the origin as a comment."""
    if recipe := facts["recipe"]:
        lines = [(f"{key} = {format_toml(row)}", row["from"]) for key, row in recipe["values"].items()]
        width = min(max(len(text) for text, _ in lines), 60)
        for text, origin in lines:
            click.echo(f"{text:<{width}}  # {origin}")
        for line in network_lines(recipe["networks"]):
            click.echo(f"# {line}")
    for component in facts["components"]:
        click.echo(f"{component['shelf']} {component['name']}: {component['summary']}")
        for name in ("paper", "plugin", "author", "distribution", "version"):
            click.echo(f"{name}: {component[name]}")
        if component["shelf"] == "command":
            click.echo(f"\n{component['help']}\n")
            continue
        click.echo(f"recipes: {', '.join(component['recipes'])}\n\n{component['description']}\n")
        for option in component["options"]:
            click.echo(f"{option['name']}\t{option['type']}\t{format_default(option)}")
        click.echo("")
    for plugin in facts["plugins"]:
        click.echo(f"plugin {plugin['name']}: {plugin['summary']}")
        for name in ("status", "cause", "author", "distribution", "version", "licence", "homepage"):
            click.echo(f"{name}: {plugin[name]}")
        click.echo("")
        for component in plugin["components"]:
            click.echo("\t".join(component[name] for name in ("shelf", "name", "summary", "paper")))
        click.echo("")


def print_pretty(facts: Mapping[str, Any]) -> None:
    """Prints tables for a terminal."""
    from rich.table import Table
    from rich.text import Text

    from ganzoo.display.console.terminal import Terminal, is_interactive

    console = Terminal(plain=not is_interactive())

    def table(*columns: str) -> Table:
        made = Table(box=None, pad_edge=False, header_style="dim")
        for number, column in enumerate(columns):
            made.add_column(column, overflow="fold", style="" if number else "bold")
        return made

    if recipe := facts["recipe"]:
        console.print(Text(f"{recipe['name']}: {recipe['description']}", style="bold"))
        console.print(Text(recipe["file"], style="dim"))
        rows = table("key", "value", "from")
        for key, row in recipe["values"].items():
            default = row["from"].startswith(("default", "filled"))
            rows.add_row(Text(key), Text(format_toml(row)), Text(row["from"], style="dim" if default else "green"))
        console.print(rows)
        console.print(Text("\n" + "\n".join(network_lines(recipe["networks"]))))
    for component in facts["components"]:
        console.print(Text(f"{component['shelf']} {component['name']}: {component['summary']}", style="bold"))
        by = f" by {component['author']}" if component["author"] else ""
        where = f"{component['distribution']} {component['version']}{by}, plugin {component['plugin']}"
        console.print(Text(f"{component['paper']}  {where}".strip(), style="dim"))
        if component["shelf"] == "command":
            console.print(Text(f"\n{component['help']}\n"))
            continue
        console.print(Text(f"\n{component['description']}\n"))
        rows = table("option", "type", "default")
        for option in component["options"]:
            rows.add_row(Text(option["name"]), Text(option["type"]), Text(format_default(option)))
        console.print(rows if component["options"] else Text("It has no options."))
        console.print(Text(f"\nrecipes: {', '.join(component['recipes']) or 'none'}\n"))
    for plugin in facts["plugins"]:
        console.print(Text(f"plugin {plugin['name']}: {plugin['summary']}", style="bold"))
        by = f" by {plugin['author']}" if plugin["author"] else ""
        origin = (f"{plugin['distribution']} {plugin['version']}{by}", plugin["licence"], plugin["homepage"])
        console.print(Text("  ".join(text for text in origin if text), style="dim"))
        if plugin["cause"]:
            console.print(Text(f"\n{plugin['status']}: {plugin['cause']}\n", style="red"))
        if plugin["status"] != "ok":
            continue
        rows = table("shelf", "name", "what it is", "paper")
        for component in plugin["components"]:
            rows.add_row(*(Text(component[name]) for name in ("shelf", "name", "summary", "paper")))
        console.print(rows if plugin["components"] else Text("It has no components: it follows runs."))


def network_lines(networks: Mapping[str, Any]) -> Iterator[str]:
    """A recipe's networks as lines of text."""
    shape = "x".join(map(str, networks["sample_shape"] or ())) or "unknown"
    yield f"networks for {networks['dataset']}, sample shape {shape}"
    for network in networks["built"]:
        yield f"{network['table']} {network['name']}: {network['parameters']:,} parameters"
        if network["plan"]:
            yield f"  plan  {network['plan']}"
    if networks["unknown"]:
        yield f"not built: {networks['unknown']}"


def format_toml(row: Mapping[str, Any]) -> str:
    """A value as TOML."""
    if row["value"] is None:
        return "..."
    import tomlkit

    return str(tomlkit.item(row["value"]).as_string())


def format_default(option: Mapping[str, Any]) -> str:
    """An option's default as text."""
    if option["from_data"]:
        return "from the data"
    return (
        "required"
        if option["required"]
        else "none"
        if option["default"] is None
        else format_toml({"value": option["default"]})
    )


def _plain(value: Any) -> Any:
    """A default as a value that JSON has."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str | dict) else str(value)


def _has_name(entry: Entry, name: str) -> bool:
    return entry.name == name or (entry.shelf == "recipe" and entry.name.replace("-", "_") == name.replace("-", "_"))
