"""What `ganzoo show` says of a command: what click knows of it, in the form that other things' options have."""

from __future__ import annotations

import inspect
from typing import Any

import click

from ganzoo.cli import ganzoo
from ganzoo.cli.group import command_of
from ganzoo.plugins import Entry, zoo


def command_facts(entry: Entry) -> dict[str, Any]:
    """A command's description, its options and arguments, and `help`: the page that its `--help` prints.

    Raises: PluginError where it cannot be imported, or is no click command.
    """
    command = command_of(entry)
    program = click.Context(ganzoo, info_name=ganzoo.name, **ganzoo.context_settings)
    context = click.Context(command, info_name=zoo().qualified_name(entry), parent=program)
    return {
        "description": inspect.cleandoc(command.help or command.short_help or ""),
        "options": [facts for each in command.params if (facts := parameter_facts(each))],
        "help": command.get_help(context),
    }


def parameter_facts(parameter: click.Parameter) -> dict[str, Any]:
    """One option or argument; nothing of a hidden one. A default that is computed at each call is not known."""
    info = parameter.to_info_dict()
    if info.get("hidden"):
        return {}
    option = info["param_type_name"] == "option"
    default = info.get("default")
    return {
        "name": "/".join([*info["opts"], *info["secondary_opts"]]) if option else parameter.human_readable_name,
        "type": "flag" if info.get("is_flag") else said(info["type"]),
        "default": default if default is None or isinstance(default, bool | int | float | str) else None,
        "required": info["required"],
        "from_data": False,
        "help": info.get("help") or "",
    }


def said(kind: dict[str, Any]) -> str:
    """click's type in words: "integer range", '"onnx" or "torch"'."""
    if "choices" in kind:
        return " or ".join(f'"{choice}"' for choice in kind["choices"])
    return str(kind.get("name", "text"))
