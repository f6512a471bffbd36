"""Where the console writes to: a terminal that can redraw lines, or a file, a pipe, a notebook that cannot."""

from __future__ import annotations

import os
import sys

from rich.console import Console


def is_lively() -> bool:
    """Whether standard output can show something that moves, and this process is the one to do so among its ranks."""
    first = os.environ.get("RANK", "0") == "0"
    return first and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


class Terminal(Console):
    """rich's console on standard output, which shows text as it is, and outlives its reader.

    plain: no colours and no control characters, whatever the environment claims: many CI systems set FORCE_COLOR.
    """

    def __init__(self, *, plain: bool) -> None:
        look = {"force_terminal": False, "color_system": None} if plain else {"force_terminal": True}
        super().__init__(highlight=False, markup=False, emoji=False, force_jupyter=False, **look)

    def on_broken_pipe(self) -> None:
        """Falls silent where nobody reads any more, as under `| head`: hours of training are worth more than lines."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
