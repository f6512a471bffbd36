"""The command line. Each command is a file here, imported when it is used, so that `--help` and `list` stay quick.

`group` knows the commands, the plugins' too; this file runs one and says what it ends with.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from ganzoo import __version__
from ganzoo.cli.group import LazyGroup
from ganzoo.errors import FailedElsewhere, GanzooError


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
    except (click.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__, EOFError):  # a file that is cut off; click takes it for the end of input
            return _fault(error.__cause__)
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
        return _failed(f"{named}{error.strerror or error}{_place(error)}", 1)
    except Exception as error:
        return _fault(error)
    return result if isinstance(result, int) else 0


def _fault(error: BaseException) -> int:
    place = _place(error)
    fault = f"This is a fault in {'that file' if place else 'ganzoo or in a plugin'}."
    return _failed(f"{type(error).__name__}: {error}{place}\n  {fault} GANZOO_DEBUG=1 shows the traceback.", 1)


def _place(error: BaseException) -> str:
    from ganzoo.plugins import frame_said

    return frame_said(error)


def _failed(message: str, status: int) -> int:
    if os.environ.get("GANZOO_DEBUG", "") not in ("", "0"):
        import traceback

        traceback.print_exc()
    rank = os.environ.get("RANK", "0")  # as torchrun says it; the first speaks for all, the others for themselves
    click.echo(f"error: {f'rank {rank}: ' if rank != '0' else ''}{message}", err=True)
    return status
