"""The command line. Each command is a file here that is imported when it is used, so that `--help` and `list` are fast.

`group` finds the commands, including those of plugins; this file runs one and determines the exit status.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ganzoo import __version__
from ganzoo.cli.group import LazyGroup
from ganzoo.display.printing import printable_output, reserve_standard_descriptors
from ganzoo.errors import FailedElsewhere, GanzooError
from ganzoo.plugins import error_location, error_owner, error_text
from ganzoo.plugins.containment import is_interruption, tell_interrupts_apart


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
    """The entry point. Exit status: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted."""
    reserve_standard_descriptors()
    tell_interrupts_apart()
    sys.exit(exit_status(arguments))


def exit_status(arguments: list[str] | None = None) -> int:
    """Runs a command line and returns its exit status; errors are one message on standard error.

    Everything that is printed is cleaned (see `display.printing`). Where standard output cannot be written, the command
    goes on, and its status is 1; that its reader has exited, as `head` does, is no failure. GANZOO_DEBUG=1 shows the
    traceback as well.
    """
    with printable_output() as (out, _):
        status = _run(arguments)
        out.flush()
        if out.failure is None or isinstance(out.failure, BrokenPipeError):
            return status
        _report_failure(f"standard output cannot be written: {out.failure.strerror}. Lines of the output are lost.", 1)
        return status or 1


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = ganzoo.main(arguments, prog_name="ganzoo", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except SystemExit as ended:  # of a plugin's command: click and this file raise none
        if isinstance(ended.code, str):
            click.echo(ended.code, err=True)
        return 0 if ended.code is None else ended.code if isinstance(ended.code, int) else 1
    except (click.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__, EOFError):  # a truncated file; click takes it for the end of input
            return _report_bug(error.__cause__)
        cause = error.__cause__ or error
        if isinstance(cause, KeyboardInterrupt) and not is_interruption(cause):
            return _report_bug(cause)
        if os.environ.get("RANK", "0") == "0":
            click.echo("interrupted", err=True)
        return 130
    except FailedElsewhere as error:
        return error.exit_status  # another rank reports it
    except GanzooError as error:
        return _report_failure(error_text(error), error.exit_status or 1)
    except OSError as error:  # a full disk, a folder that may not be written
        file = f"{error.filename}: " if error.filename else ""
        return _report_failure(f"{file}{error.strerror or error}{error_location(error)}", 1)
    except BaseException as error:
        return _report_bug(error)
    return result if isinstance(result, int) else 0


def _report_bug(error: BaseException) -> int:
    location = error_location(error)
    owner = error_owner(error)
    suspect = f"the plugin {owner}" if owner else "that file" if location else "ganzoo or in a plugin"
    bug = f"This is a fault in {suspect}."
    message = f"{type(error).__name__}: {error_text(error)}{location}\n  {bug} GANZOO_DEBUG=1 shows the traceback."
    return _report_failure(message, 1)


def _report_failure(message: str, status: int) -> int:
    if os.environ.get("GANZOO_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exc()
    rank = os.environ.get("RANK", "0")  # set by torchrun; messages of other ranks than the first are marked
    click.echo(f"error: {f'rank {rank}: ' if rank != '0' else ''}{message}", err=True)
    return status
