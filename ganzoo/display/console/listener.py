"""The console as a plugin: an observer that displays a run's events.

The live display reads `run.step` from its own thread, so that the training loop does nothing for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from ganzoo.display.console import messages as messages
from ganzoo.display.console.live import live_display
from ganzoo.display.console.terminal import Terminal, is_interactive
from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo import Run

REFRESH_PER_SECOND = 4
"""The refresh rate of the live display, in Hz."""

STYLES = {
    "finished": "bold green",
    "stopped": "bold green",
    "interrupted": "bold yellow",
    "failed": "bold red",
    "doctor": "bold yellow",
}


class Console:
    """The display of one run. plain: True for lines, False for the live display, None to detect a terminal."""

    def __init__(self, plain: bool | None = None, terminal: RichConsole | None = None) -> None:
        self.plain = not is_interactive() if plain is None else plain
        self.terminal = terminal or Terminal(plain=self.plain)
        self.live: Live | None = None
        self.values: Mapping[str, float] = {}
        self.grid: Path | None = None
        self.last_printed: float | None = None
        self.has_unprinted_row = False

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """Prints the header, and starts the live display."""
        self.run = run
        self.first_step, self.started_at, self.seconds_before = run.step, time.monotonic(), run.facts["seconds"]
        self.print_pairs(messages.run_header(run))
        self.warn_of_fallback()
        if not self.plain:
            self.live = Live(
                get_renderable=self.render, console=self.terminal, refresh_per_second=REFRESH_PER_SECOND, transient=True
            )
            self.live.start()

    @hookimpl
    def ganzoo_metrics(self, values: Mapping[str, float]) -> None:
        """Shows a row in the live display, or prints a line every `print_interval` seconds."""
        self.values, self.has_unprinted_row = values, True
        if self.plain and (self.last_printed is None or time.monotonic() - self.last_printed >= self.print_interval()):
            self.print_row()

    @hookimpl
    def ganzoo_samples(self, path: Path) -> None:
        """Stores the path of the newest grid."""
        self.grid = path

    @hookimpl
    def ganzoo_run_finished(self, run: Run) -> None:
        """Prints the last row and the summary."""
        if self.live:
            self.live.stop()
        if self.has_unprinted_row:
            self.print_row()
        self.warn_of_fallback()
        self.print_pairs(messages.run_summary(run, self.values, self.grid))

    def print_pairs(self, pairs: Iterable[messages.Pair]) -> None:
        """Prints pairs of a label and a text, one a line."""
        for label, text in pairs:
            style = STYLES.get(label, "dim")
            line = Text.assemble((f"{label:<12}", style), messages.one_line(text))
            self.terminal.print(line, soft_wrap=True)  # so that paths and commands can be copied

    def note(self, label: str, text: str) -> None:
        """Prints a line for an observer, such as a finding of the doctor."""
        self.print_pairs([(label, text)])

    def print_row(self) -> None:
        """Prints the newest row."""
        line = messages.format_row(self.run, self.values, self.time_left())
        self.terminal.print(Text(messages.one_line(line)), soft_wrap=self.plain)
        self.last_printed, self.has_unprinted_row = time.monotonic(), False

    def warn_of_fallback(self) -> None:
        """Warns that the run uses fallback data."""
        lines = [messages.one_line(line) for line in messages.fallback_warning(self.run)]
        if lines and self.plain:
            for line in ("", *lines, ""):
                self.terminal.print(f"!!! {line}".rstrip(), soft_wrap=True)
        elif lines:
            self.terminal.print(Panel(Text("\n".join(lines)), style="bold yellow", title="FALLBACK DATA"))

    def print_interval(self) -> float:
        """Seconds between two plain lines: a sixtieth of the time so far, at least 1 and at most 30.

        The log of an hour then has about 300 lines, however fast rows arrive.
        """
        return min(max((time.monotonic() - self.started_at) / 60, 1.0), 30.0)

    def time_left(self) -> str:
        """The estimated remaining time."""
        done = self.run.step - self.first_step
        if not done:
            return "-:--:--"
        return messages.format_duration(
            (time.monotonic() - self.started_at) / done * (self.run.total_steps - self.run.step)
        )

    def render(self) -> RenderableType:
        """Renders the live display."""
        seconds = self.seconds_before + time.monotonic() - self.started_at
        return live_display(self.run, self.values, self.grid, seconds, self.time_left())
