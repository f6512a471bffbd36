"""The console's output: a terminal with live updates, or a file, pipe or notebook without."""

from __future__ import annotations

import os
import sys

from rich.console import Console


def is_interactive() -> bool:
    """Whether standard output is a terminal that supports live updates, and this process is rank 0."""
    first = os.environ.get("RANK", "0") == "0"
    return first and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


class Terminal(Console):
    """rich's console on standard output, without markup, which survives a closed pipe.

    plain: no colours and no control characters, even if FORCE_COLOR is set, as in many CI systems.
    """

    def __init__(self, *, plain: bool) -> None:
        look = {"force_terminal": False, "color_system": None} if plain else {"force_terminal": True}
        super().__init__(highlight=False, markup=False, emoji=False, force_jupyter=False, **look)

    def on_broken_pipe(self) -> None:
        """Stops printing when the pipe is closed, as by `| head`, so that training continues."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
