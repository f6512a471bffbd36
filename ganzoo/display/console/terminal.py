"""The console's output: a terminal with live updates, or a file, pipe or notebook without."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ganzoo.display.printing import printable, unfiltered


def is_interactive(*, stderr: bool = False) -> bool:
    """Whether standard output (or error) is a terminal that supports live updates, and this process is rank 0."""
    first = os.environ.get("RANK", "0") == "0"
    stream = sys.stderr if stderr else sys.stdout
    return first and stream is not None and stream.isatty() and os.environ.get("TERM", "") != "dumb"


class Terminal(Console):
    """rich's console on standard output (or error), without markup, which survives a closed pipe.

    Every text that it renders is `printable`; only its own colours and movements are control characters.

    plain: no colours and no control characters, even if FORCE_COLOR is set, as in many CI systems.
    """

    def __init__(self, *, plain: bool, stderr: bool = False, **options: Any) -> None:
        look = {"force_terminal": False, "color_system": None} if plain else {"force_terminal": True}
        fixed = {"highlight": False, "markup": False, "emoji": False, "force_jupyter": False, "stderr": stderr}
        super().__init__(**fixed, **look, **options)  # type: ignore[arg-type]

    @property
    def file(self) -> IO[str]:
        """The stream that is written to."""
        stream: IO[str] = unfiltered(super().file)
        return stream

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        Console.file.fset(self, new_file)  # type: ignore[attr-defined]

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Renders with every text cleaned, and with ? for characters that the stream's encoding lacks."""
        for text, style, control in super().render(renderable, options):
            clean = text if control else printable(text).encode(self.encoding, "replace").decode(self.encoding)
            yield Segment(clean, style, control)

    def on_broken_pipe(self) -> None:
        """Stops printing when the pipe is closed, as by `| head`, so that training continues."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
