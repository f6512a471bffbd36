"""The command line. Each command is a file here, imported when it is used, so that `--help` and `list` stay quick."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from ganzoo import __version__
from ganzoo.errors import FailedElsewhere, GanzooError

COMMANDS = {
    "run": "Train: play a recipe.",
    "resume": "Go on exactly where a run stopped.",
    "list": "The zoo: models, losses, data sets, recipes, plugins.",
    "show": "One thing, or every effective value of a recipe.",
    "sample": "Pictures, animations or arrays from a run.",
    "report": "A run as one HTML page.",
    "compare": "Runs side by side: settings that differ, scores, curves, samples.",
    "card": "A model card from runs of one recipe, with its scores beside the papers'.",
    "evaluate": "Score a run: FID, KID, precision and recall, modes captured.",
    "doctor": "What this machine has, or what is wrong with a run's training.",
    "benchmark": "A suite of recipes over several seeds, in one table.",
    "new": "A plugin package of your own, ready to be changed and published.",
    "check": "An installed plugin against every contract.",
}
"""Command -> its line in `ganzoo --help`, so that none has to be imported for it. The command `x` is `cli/x.py`'s `x`;
where that is a word of Python's own, `x_`."""


class LazyGroup(click.Group):
    """A group that imports a command's file when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called so, or None."""
        if cmd_name not in COMMANDS:
            return None
        inside = vars(import_module(f"ganzoo.cli.{cmd_name}"))
        command = inside.get(f"{cmd_name}_", inside.get(cmd_name))
        if not isinstance(command, click.Command):
            raise TypeError(f"ganzoo/cli/{cmd_name}.py holds no command {cmd_name}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, and the nearest command where there is none such."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not close or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message} Did you mean {close[0]}?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from `COMMANDS` alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='Completion of commands and names: eval "$(_GANZOO_COMPLETE=bash_source ganzoo)" (or zsh_source) in your '
    "shell's start file; in fish: _GANZOO_COMPLETE=fish_source ganzoo | source",
)
@click.version_option(__version__, prog_name="ganzoo")
def ganzoo() -> None:
    """A zoo of generative adversarial networks: `ganzoo run RECIPE` trains, `ganzoo list` shows what there is."""


def main(arguments: list[str] | None = None) -> None:
    """The program. Exit status: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted."""
    sys.exit(status_of(arguments))


def status_of(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit status; errors are one message on standard error.

    GANZOO_DEBUG=1 shows the traceback as well.
    """
    try:
        result: Any = ganzoo.main(arguments, prog_name="ganzoo", standalone_mode=False)
        sys.stdout.flush()  # here, and not when Python ends, where a reader that went away cannot be answered
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        if os.environ.get("RANK", "0") == "0":
            click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FailedElsewhere as error:
        return error.exit_status  # another rank has said it
    except GanzooError as error:
        return _failed(str(error), error.exit_status)
    except OSError as error:  # a full disk, a folder that may not be written
        named = f"{error.filename}: " if error.filename else ""
        return _failed(f"{named}{error.strerror or error}", 1)
    except Exception as error:
        fault = "This is a fault in ganzoo or in a plugin. GANZOO_DEBUG=1 shows where."
        return _failed(f"{type(error).__name__}: {error}\n  {fault}", 1)
    return result if isinstance(result, int) else 0


def _failed(message: str, status: int) -> int:
    if os.environ.get("GANZOO_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exc()
    rank = os.environ.get("RANK", "0")  # as torchrun says it; the first speaks for all, the others for themselves
    click.echo(f"error: {f'rank {rank}: ' if rank != '0' else ''}{message}", err=True)
    return status
