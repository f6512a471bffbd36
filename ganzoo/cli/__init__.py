"""The command line. Each command is a file here, imported when it is used, so that `--help` and `list` stay quick."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from ganzoo import __version__
from ganzoo.errors import GanzooError

COMMANDS = {
    "run": "Train: play a recipe.",
    "resume": "Go on exactly where a run stopped.",
    "list": "The zoo: models, losses, data sets, recipes, plugins.",
    "show": "One thing, or every effective value of a recipe.",
    "sample": "Pictures, animations or arrays from a run.",
}
"""Command -> its line in `ganzoo --help`, so that none has to be imported for it."""


class Lazy(click.Group):
    """A group that imports a command's file when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called so, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = vars(import_module(f"ganzoo.cli.{cmd_name}"))["list_" if cmd_name == "list" else cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from `COMMANDS` alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ganzoo")
def ganzoo() -> None:
    """A zoo of generative adversarial networks: `ganzoo run RECIPE` trains, `ganzoo list` shows what there is."""


def main(arguments: list[str] | None = None) -> None:
    """The program. Exit status: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted."""
    sys.exit(status_of(arguments))


def status_of(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit status; errors are one message on standard error."""
    debug = os.environ.get("GANZOO_DEBUG", "") not in ("", "0")
    try:
        result: Any = ganzoo.main(arguments, prog_name="ganzoo", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except GanzooError as error:
        if debug:
            raise
        click.echo(f"error: {error}" if "\n" not in error.what else str(error), err=True)
        return error.exit_status
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"error: {type(error).__name__}: {error}\n  This is a fault in ganzoo or in a plugin. GANZOO_DEBUG=1 shows where.",
            err=True,
        )
        return 1
    return result if isinstance(result, int) else 0
