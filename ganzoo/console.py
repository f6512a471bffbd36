"""What a person sees of a run: a live display in a terminal, plain lines elsewhere.

The console is an ordinary listener to the public events, and uses nothing that a plugin could not use. The live display
reads `run.step` from a thread of its own, so that the hot loop does nothing for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganzoo.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.run import Run

SHOWN_AS = {"d_real": "D(x)", "d_fake": "D(G(z))"}
"""Logged names that people know under another one."""

BOOKKEEPING = ("step", "epoch", "seconds", "samples_per_second")
PLAIN_EVERY = 1.0
"""Seconds between two plain lines at least, so that a log stays readable however fast the rows come."""


class Console:
    """The display of one run. plain: True for lines, False for the live display, None to see where it is."""

    def __init__(self, plain: bool | None = None, terminal: Terminal | None = None) -> None:
        self.terminal = terminal or Terminal(highlight=False)
        self.plain = not self.terminal.is_terminal if plain is None else plain
        self.live: Live | None = None
        self.values: Mapping[str, float] = {}
        self.grid: Path | None = None
        self.said = 0.0
        self.unsaid: str | None = None

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """The header; then the live display begins."""
        self.run = run
        self.first_step, self.began = run.step, time.monotonic()
        for line in header(run):
            self.say(line)
        self.warn_of_fallback()
        if not self.plain:
            self.live = Live(get_renderable=self.picture, console=self.terminal, refresh_per_second=5, transient=True)
            self.live.start()

    @hookimpl
    def ganzoo_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """A row: into the live display, or a line now and then."""
        self.values = values
        if self.plain:
            self.unsaid = self.line(step, values)
            if time.monotonic() - self.said >= PLAIN_EVERY:
                self.say_row()

    @hookimpl
    def ganzoo_samples(self, path: Path) -> None:
        """The newest grid's place."""
        self.grid = path

    @hookimpl
    def ganzoo_run_finished(self, run: Run) -> None:
        """How it ended, where things are, and what to do next."""
        if self.live:
            self.live.stop()
            if self.values:
                self.unsaid = self.line(int(self.values["step"]), self.values)
        self.say_row()
        took = timedelta(seconds=round(run.facts["seconds"]))
        self.say(
            f"{run.status} at step {run.step:,} of {run.total_steps:,} after {took} of training: {run.facts['reason']}"
        )
        self.warn_of_fallback()
        if self.grid:
            self.say(f"grid        {self.grid}")
        if run.status == "failed":
            return
        self.say(f"run         {run.directory}")
        if run.step < run.total_steps:
            self.say(f"go on       ganzoo resume {run.directory}")
        self.say(f"sample      ganzoo sample {run.directory} -o grid.png")

    def line(self, step: int, values: Mapping[str, float]) -> str:
        """One row in words."""
        named = [f"{SHOWN_AS.get(name, name)} {value:.3f}" for name, value in values.items() if name not in BOOKKEEPING]
        width = len(f"{self.run.total_steps:,}")
        speed = f"{values['samples_per_second']:,.0f} samples/s"
        return "  ".join([f"step {step:>{width},}/{self.run.total_steps:,}", *named, speed, f"left {self.left()}"])

    def left(self) -> str:
        """The time to the end at the speed so far."""
        done = self.run.step - self.first_step
        if not done:
            return "-:--:--"
        seconds = (time.monotonic() - self.began) / done * (self.run.total_steps - self.run.step)
        return str(timedelta(seconds=round(seconds)))

    def picture(self) -> RenderableType:
        """What the live display shows now."""
        run = self.run
        bar = Table.grid(padding=(0, 2))
        share = run.step / max(run.total_steps, 1)
        bar.add_row(
            ProgressBar(total=run.total_steps, completed=run.step, width=40),
            f"{share:4.0%}",
            f"step {run.step:,} of {run.total_steps:,}",
            f"epoch {self.values.get('epoch', 0.0):.1f}",
            f"left {self.left()}",
        )
        numbers = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        named = {name: value for name, value in self.values.items() if name not in BOOKKEEPING}
        for name in named:
            numbers.add_column(SHOWN_AS.get(name, name), justify="right")
        if self.values:
            numbers.add_column("samples/s", justify="right")
            numbers.add_row(*(f"{value:.3f}" for value in named.values()), f"{self.values['samples_per_second']:,.0f}")
        place = Text(
            f"grid {self.grid}   Ctrl-C stops, and keeps everything"
            if self.grid
            else "Ctrl-C stops, and keeps everything",
            style="dim",
        )
        return Group(bar, numbers, place)

    def say(self, line: str) -> None:
        """One line, as it is."""
        self.terminal.print(line, markup=False, soft_wrap=True)

    def say_row(self) -> None:
        """The newest row that was not said yet."""
        if self.unsaid:
            self.say(self.unsaid)
            self.said, self.unsaid = time.monotonic(), None

    def warn_of_fallback(self) -> None:
        """Says loudly that these are not the data that the recipe names."""
        data = self.run.facts["dataset"]
        if not data["fallback"]:
            return
        wanted, reason = data["fallback"]["instead_of"], data["fallback"]["reason"]
        text = f'NOT {wanted.upper()}: this run trains on the fallback data set "{data["name"]}".\n{reason}'
        if self.plain:
            for line in text.splitlines():
                self.say(f"!!! {line}")
        else:
            self.terminal.print(Panel(Text(text), style="bold yellow", title="fallback data"))


def header(run: Run) -> list[str]:
    """What is about to be trained, on what, and where it goes."""
    facts = run.facts
    data, device = facts["dataset"], facts["device"]
    parameters = ", ".join(f"{name} {number:,}" for name, number in facts["parameters"].items())
    shape = " x ".join(str(side) for side in data["sample_shape"])
    threads = f", {device['threads']} threads" if device["type"] == "cpu" else ""
    return [
        f"recipe      {facts['recipe']}: {facts['description']}",
        f"data        {data['name']}: {data['size']:,} samples of {shape}, from {data['origin']}",
        *(f"            {note}" for note in data["notes"]),
        f"parameters  {parameters}",
        f"device      {device['name']}{threads}, {facts['precision']}",
        f"budget      {run.total_steps:,} steps" + (f", from step {run.step:,}" if run.step else ""),
        f"run         {run.directory}",
    ]
