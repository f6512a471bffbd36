"""The part of the display that moves: the progress of a run, and a sign of life while it gets ready."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganzoo.display.console.messages import MEANS, SHOWN_AS, duration, number, things, told
from ganzoo.display.console.terminal import is_lively
from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.runs.run import Run


def progress(run: Run, values: Mapping[str, float], grid: Path | None, seconds: float, left: str) -> RenderableType:
    """The state of a run as a few lines. values: the newest row; seconds: of training; left: the time to the end."""
    return Group(Text(), _bar(run, seconds, left), Text(), _numbers(run, values), Text(), _foot(grid))


def _bar(run: Run, seconds: float, left: str) -> RenderableType:
    bar = Table.grid(padding=(0, 2, 0, 0), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    bar.add_row(
        ProgressBar(total=max(run.total_steps, 1), completed=run.step), f"{run.step / max(run.total_steps, 1):4.0%}"
    )
    said = f"step {run.step:,} of {run.total_steps:,}   {duration(seconds)} of training   {left} left"
    return Group(bar, Text(said))


def _numbers(run: Run, values: Mapping[str, float]) -> RenderableType:
    if not values:
        return Text("waiting for the first row", style="dim")
    cells = {
        f"{SHOWN_AS.get(name, name)} {MEANS.get(name, '')}".strip(): number(value)
        for name, value in told(values).items()
    }
    cells[f"{things(run)}/s"] = f"{values['samples_per_second']:,.0f}"
    cells["epoch"] = f"{values['epoch']:.2f}"
    # Columns fill as many rows as a narrow terminal takes, or a game that logs a dozen numbers.
    return Columns((Text.assemble((name, "dim"), "\n", text) for name, text in cells.items()), padding=(0, 3))


def _foot(grid: Path | None) -> RenderableType:
    foot = Table.grid(padding=(0, 2, 0, 0))
    if grid:
        foot.add_row(Text("newest grid", style="dim"), Text(str(grid), overflow="fold"))
    foot.add_row(Text("Ctrl-C", style="dim"), Text("stops after this step and keeps everything", style="dim"))
    return foot


@contextmanager
def waiting(what: str, *, shown: bool = True) -> Iterator[object]:
    """Shows a spinner until the run starts, where there is a terminal to show it in.

    Gives a listener to pass to `train` or `resume` as an observer: it ends the spinner when the run's display begins.
    Importing torch takes seconds, and so does making or downloading data.
    """
    if not (shown and is_lively()):
        yield Started()
        return
    # The file is fixed here: a download may redirect standard output, and would take the spinner with it.
    terminal = Terminal(file=sys.stdout, highlight=False)
    columns = (SpinnerColumn(), TextColumn(what), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True) as spinner:
        spinner.add_task("", total=None)
        yield Started(spinner)


class Started:
    """Ends a spinner, where there is one, once a run has started."""

    def __init__(self, spinner: Progress | None = None) -> None:
        self.spinner = spinner

    @hookimpl(tryfirst=True)
    def ganzoo_run_started(self) -> None:
        """Before the other listeners say anything."""
        if self.spinner is not None:
            self.spinner.stop()
