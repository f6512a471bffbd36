"""The commands of `ganzoo`, our own and the plugins', as they stand on the shelf `command`.

Only the one that is used is imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from itertools import groupby
from typing import Final

import click
from click.shell_completion import CompletionItem

from ganzoo.errors import GanzooError, PluginError
from ganzoo.plugins import Entry, zoo
from ganzoo.plugins.builtin import builtin_components
from ganzoo.plugins.components import Component

OWN: Final[Mapping[str, Component]] = {component.name: component for component in builtin_components("command")}
"""Our own commands by name. They are looked up here and not in the zoo, so that `ganzoo list plugins` can say what is
wrong where the zoo has no commands: with GANZOO_DISABLE=ganzoo, or with two distributions called ganzoo."""


class LazyGroup(click.Group):
    """A group that imports a command when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our commands, in the order in which one meets them, and then the plugins', as they have to be written."""
        return [*OWN, *(zoo().qualified_name(entry) for entry in from_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called so, or "plugin:name"; None where no plugin has it.

        Raises: PluginError where several plugins have it, or the one that has it cannot give it.
        """
        if cmd_name in OWN:
            own: click.Command = OWN[cmd_name].load()
            return own
        if ":" not in cmd_name and all(entry.name != cmd_name for entry in from_plugins()):
            return None  # click says so, with the usage
        return command_of(zoo().find("command", cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, and the nearest command, and plugins that did not come in, where there is none such."""
        try:
            return super().resolve_command(ctx, args)
        except GanzooError:
            if ctx.resilient_parsing:  # the shell asks, and would show an error in the middle of the user's line
                return None, None, args[1:]
            raise
        except click.UsageError as error:
            if args[0].startswith("-"):  # not a command, but an option that there is not
                raise
            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            said = f"{error.message} Did you mean {close[0]}?" if close else error.message
            absent = [row.problem for row in zoo().plugins() if row.problem]
            raise click.UsageError("\n  ".join([said, *absent]), ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes our commands, and those of each plugin under its name, from what stands on the shelf."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, component.summary) for name, component in OWN.items()])
        for whose, entries in groupby(from_plugins(), lambda entry: (entry.plugin, entry.distribution, entry.version)):
            with formatter.section("Commands of the plugin {} ({} {})".format(*whose)):
                formatter.write_dl([(zoo().qualified_name(entry), summary_of(entry)) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, from what stands on the shelf, and this group's own options."""
        helps = {name: component.summary for name, component in OWN.items()}
        with suppress(GanzooError):  # GANZOO_STRICT, and a broken plugin: every other command says so
            helps |= {zoo().qualified_name(entry): summary_of(entry) for entry in from_plugins()}
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=said) for name, said in helps.items() if name.startswith(incomplete)
        ] + options


def from_plugins() -> list[Entry]:
    """The plugins' commands, by plugin and name. Raises: PluginError under GANZOO_STRICT where a plugin is broken."""
    entries = [entry for entry in zoo().entries("command") if entry.name not in OWN]
    return sorted(entries, key=lambda entry: (entry.plugin, entry.name))


def summary_of(entry: Entry) -> str:
    """Its one line, on one line."""
    return " ".join(entry.component.summary.split())


def command_of(entry: Entry) -> click.Command:
    """Imports a command. Raises: PluginError, naming the plugin, where that fails or it is no click command."""
    found = zoo().resolve(entry)
    if not isinstance(found, click.Command):
        raise PluginError(
            f'the command "{entry.name}" of the plugin {entry.plugin} ({entry.distribution} {entry.version}) names '
            f"{entry.component.target}, which is no click command but {type(found).__name__}.",
            remedy="Report that plugin; every other command goes on working.",
        )
    return found
