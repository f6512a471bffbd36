"""The commands of `ganzoo`, built-in ones and those of plugins, from the shelf `command`.

Only the command that is used is imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins import Entry, contained, zoo
from ganzoo.plugins.builtin import builtin_components
from ganzoo.plugins.components import Component

BUILTIN_COMMANDS: Final[Mapping[str, Component]] = {
    component.name: component for component in builtin_components("command")
}
"""The built-in commands by name. They are looked up here and not in the zoo, so that `ganzoo list plugins` works where
the zoo has no commands: with GANZOO_DISABLE=ganzoo, or with two distributions called ganzoo."""


class LazyGroup(click.Group):
    """A command group that imports each command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The built-in commands, in the order of `--help`, and then those of plugins, by qualified name."""
        return [*BUILTIN_COMMANDS, *(zoo().qualified_name(entry) for entry in plugin_commands())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or "plugin:name"; None where there is none.

        Raises: PluginError where several plugins have it, or where it cannot be imported.
        """
        if cmd_name in BUILTIN_COMMANDS:
            builtin: click.Command = BUILTIN_COMMANDS[cmd_name].load()
            return builtin
        if ":" not in cmd_name and all(entry.name != cmd_name for entry in plugin_commands()):
            return None  # click reports it, with the usage
        return load_command(zoo().find("command", cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click; for an unknown command, the error also names the most similar one and plugins that failed."""
        try:
            return super().resolve_command(ctx, args)
        except GanzooError:
            if ctx.resilient_parsing:  # shell completion, where an error would appear in the middle of the line
                return None, None, args[1:]
            raise
        except click.UsageError as error:
            if args[0].startswith("-"):  # an unknown option, not a command
                raise
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            message = f"{error.message} Did you mean {close[0]}?" if close else error.message
            absent = [row.problem for row in zoo().plugins() if row.problem]
            raise click.UsageError("\n  ".join([message, *absent]), ctx) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. A SystemExit, or click's Exit, is a plugin's own way to end its command, and no other's.

        Raises: EscapedExit where a component ends the program in the middle of one of our commands.
        """
        try:
            return super().invoke(ctx)
        except BaseException as error:
            of_click = isinstance(error, click.exceptions.Exit | click.Abort)  # --help, a question without an answer
            if of_click or ctx.invoked_subcommand not in BUILTIN_COMMANDS:
                raise
            with contained():
                raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the built-in commands, and those of each plugin under its name, with the summaries on the shelf."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, component.summary) for name, component in BUILTIN_COMMANDS.items()])
        for plugin, entries in groupby(
            plugin_commands(), lambda entry: (entry.plugin, entry.distribution, entry.version)
        ):
            with formatter.section("Commands of the plugin {} ({} {})".format(*plugin)):
                formatter.write_dl([(zoo().qualified_name(entry), summary_of(entry)) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The matching commands, with the summaries on the shelf, and this group's own options."""
        helps = {name: component.summary for name, component in BUILTIN_COMMANDS.items()}
        with suppress(GanzooError):  # with GANZOO_STRICT and a broken plugin; every other command reports it
            helps |= {zoo().qualified_name(entry): summary_of(entry) for entry in plugin_commands()}
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=summary) for name, summary in helps.items() if name.startswith(incomplete)
        ] + options


def plugin_commands() -> list[Entry]:
    """The plugins' commands, by plugin and name. Raises: PluginError under GANZOO_STRICT where a plugin is broken."""
    entries = [entry for entry in zoo().entries("command") if entry.name not in BUILTIN_COMMANDS]
    return sorted(entries, key=lambda entry: (entry.plugin, entry.name))


def summary_of(entry: Entry) -> str:
    """A command's summary, on one line."""
    return " ".join(entry.component.summary.split())


def load_command(entry: Entry) -> click.Command:
    """Imports a command. Raises: PluginError, naming the plugin, where that fails or it is not a click command."""
    found = zoo().resolve(entry)
    if not isinstance(found, click.Command):
        raise PluginError(
            f'the command "{entry.name}" of the plugin {entry.plugin} ({entry.distribution} {entry.version}) names '
            f"{entry.component.target}, which is no click command but {type(found).__name__}.",
            remedy="Report that plugin; every other command goes on working.",
        )
    return found
