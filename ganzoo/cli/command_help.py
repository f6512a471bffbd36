"""Describes a command for `ganzoo show`: click's parameters in the same form as the options of components."""

from __future__ import annotations

import inspect
from typing import Any

import click

from ganzoo.cli import ganzoo
from ganzoo.cli.group import load_command
from ganzoo.plugins import Entry, zoo


def command_facts(entry: Entry) -> dict[str, Any]:
    """A command's description, its options and arguments, and `help`: the text that its `--help` prints.

    Raises: PluginError where it cannot be imported, or is not a click command.
    """
    command = load_command(entry)
    program = click.Context(ganzoo, info_name=ganzoo.name, **ganzoo.context_settings)
    context = click.Context(command, info_name=zoo().qualified_name(entry), parent=program)
    return {
        "description": inspect.cleandoc(command.help or command.short_help or ""),
        "options": [facts for each in command.params if (facts := parameter_facts(each))],
        "help": command.get_help(context),
    }


def parameter_facts(parameter: click.Parameter) -> dict[str, Any]:
    """One option or argument; empty for a hidden one. Defaults that are computed at each call are unknown."""
    info = parameter.to_info_dict()
    if info.get("hidden"):
        return {}
    option = info["param_type_name"] == "option"
    default = info.get("default")
    return {
        "name": "/".join([*info["opts"], *info["secondary_opts"]]) if option else parameter.human_readable_name,
        "type": "flag" if info.get("is_flag") else type_name(info["type"]),
        "default": default if default is None or isinstance(default, bool | int | float | str) else None,
        "required": info["required"],
        "from_data": False,
        "help": info.get("help") or "",
    }


def type_name(kind: dict[str, Any]) -> str:
    """A description of click's type: "integer range", '"onnx" or "torch"'."""
    if "choices" in kind:
        return " or ".join(f'"{choice}"' for choice in kind["choices"])
    return str(kind.get("name", "text"))
