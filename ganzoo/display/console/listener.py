"""The console as a plugin: hears a run's events, and says something now and then.

The live display reads `run.step` from a thread of its own, so that the hot loop does nothing for it.
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

from ganzoo.display.console import messages as words
from ganzoo.display.console.live import progress
from ganzoo.display.console.terminal import Terminal, is_lively
from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo import Run

REDRAWN = 4
"""Times a second that the live display is drawn anew."""

STYLES = {
    "finished": "bold green",
    "stopped": "bold green",
    "interrupted": "bold yellow",
    "failed": "bold red",
    "doctor": "bold yellow",
}


class Console:
    """The display of one run. plain: True for lines, False for the live display, None to see what is there."""

    def __init__(self, plain: bool | None = None, terminal: RichConsole | None = None) -> None:
        self.plain = not is_lively() if plain is None else plain
        self.terminal = terminal or Terminal(plain=self.plain)
        self.live: Live | None = None
        self.values: Mapping[str, float] = {}
        self.grid: Path | None = None
        self.spoken: float | None = None
        self.unspoken = False

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """The header; then the live display begins."""
        self.run = run
        self.first_step, self.began, self.before = run.step, time.monotonic(), run.facts["seconds"]
        self.say(words.header(run))
        self.warn_of_fallback()
        if not self.plain:
            self.live = Live(
                get_renderable=self.picture, console=self.terminal, refresh_per_second=REDRAWN, transient=True
            )
            self.live.start()

    @hookimpl
    def ganzoo_metrics(self, values: Mapping[str, float]) -> None:
        """A row: into the live display, or a line now and then."""
        self.values, self.unspoken = values, True
        if self.plain and (self.spoken is None or time.monotonic() - self.spoken >= self.pause()):
            self.say_row()

    @hookimpl
    def ganzoo_samples(self, path: Path) -> None:
        """The newest grid's place."""
        self.grid = path

    @hookimpl
    def ganzoo_run_finished(self, run: Run) -> None:
        """The last row, how it ended, where things are, and what to do next."""
        if self.live:
            self.live.stop()
        if self.unspoken:
            self.say_row()
        self.warn_of_fallback()
        self.say(words.ending(run, self.values, self.grid))

    def say(self, pairs: Iterable[words.Pair]) -> None:
        """A label and a text a line."""
        for label, text in pairs:
            style = STYLES.get(label, "dim")
            line = Text.assemble((f"{label:<12}", style), words.clean(text, self.terminal.encoding))
            self.terminal.print(line, soft_wrap=True)  # a path or a command is copied in one piece

    def note(self, label: str, text: str) -> None:
        """A line of an observer's, such as what the doctor has found in the rows."""
        self.say([(label, text)])

    def say_row(self) -> None:
        """The newest row, as a line."""
        line = words.row(self.run, self.values, self.left())
        self.terminal.print(Text(words.clean(line, self.terminal.encoding)), soft_wrap=self.plain)
        self.spoken, self.unspoken = time.monotonic(), False

    def warn_of_fallback(self) -> None:
        """Says loudly that these are not the data that the recipe names."""
        lines = [words.clean(line, self.terminal.encoding) for line in words.fallback(self.run)]
        if lines and self.plain:
            for line in ("", *lines, ""):
                self.terminal.print(f"!!! {line}".rstrip(), soft_wrap=True)
        elif lines:
            self.terminal.print(Panel(Text("\n".join(lines)), style="bold yellow", title="FALLBACK DATA"))

    def pause(self) -> float:
        """Seconds between two plain lines: one at first, a sixtieth of the time so far later, and 30 at most.

        A log of an hour has some three hundred lines then, however fast the rows come.
        """
        return min(max((time.monotonic() - self.began) / 60, 1.0), 30.0)

    def left(self) -> str:
        """The time to the end at the speed so far."""
        done = self.run.step - self.first_step
        if not done:
            return "-:--:--"
        return words.duration((time.monotonic() - self.began) / done * (self.run.total_steps - self.run.step))

    def picture(self) -> RenderableType:
        """What the live display shows now."""
        seconds = self.before + time.monotonic() - self.began
        return progress(self.run, self.values, self.grid, seconds, self.left())
