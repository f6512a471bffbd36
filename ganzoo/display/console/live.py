"""Live displays: the progress of a run, and a spinner while it is prepared."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganzoo.display.console.messages import (
    DISPLAY_NAMES,
    PROBABILITY_SUBJECTS,
    format_duration,
    format_number,
    progress_metrics,
    sample_kind,
)
from ganzoo.display.console.terminal import Terminal, is_interactive
from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.runs.run import Run


def live_display(
    run: Run, values: Mapping[str, float], grid: Path | None, seconds: float, time_left: str
) -> RenderableType:
    """The state of a run. values: the newest row; seconds: of training; time_left: the remaining time as text."""
    return Group(Text(), _progress_bar(run, seconds, time_left), Text(), _metrics(run, values), Text(), _footer(grid))


def _progress_bar(run: Run, seconds: float, time_left: str) -> RenderableType:
    bar = Table.grid(padding=(0, 2, 0, 0), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    bar.add_row(
        ProgressBar(total=max(run.total_steps, 1), completed=run.step), f"{run.step / max(run.total_steps, 1):4.0%}"
    )
    status = f"step {run.step:,} of {run.total_steps:,}   {format_duration(seconds)} of training   {time_left} left"
    return Group(bar, Text(status))


def _metrics(run: Run, values: Mapping[str, float]) -> RenderableType:
    if not values:
        return Text("waiting for the first row", style="dim")
    cells = {
        f"{DISPLAY_NAMES.get(name, name)} {PROBABILITY_SUBJECTS.get(name, '')}".strip(): format_number(value)
        for name, value in progress_metrics(values).items()
    }
    cells[f"{sample_kind(run)}/s"] = f"{values['samples_per_second']:,.0f}"
    cells["epoch"] = f"{values['epoch']:.2f}"
    # Columns wrap in narrow terminals, and for games that log many numbers.
    return Columns((Text.assemble((name, "dim"), "\n", text) for name, text in cells.items()), padding=(0, 3))


def _footer(grid: Path | None) -> RenderableType:
    footer = Table.grid(padding=(0, 2, 0, 0))
    if grid:
        footer.add_row(Text("newest grid", style="dim"), Text(str(grid), overflow="fold"))
    footer.add_row(Text("Ctrl-C", style="dim"), Text("stops after this step and keeps everything", style="dim"))
    return footer


@contextmanager
def show_spinner(what: str, *, shown: bool = True) -> Iterator[object]:
    """Shows a spinner until the run starts, if standard output is a terminal.

    Yields an observer to pass to `train` or `resume`, which stops the spinner when the run starts. Importing torch and
    generating or downloading data take seconds.
    """
    if not (shown and is_interactive()):
        yield SpinnerStopper()
        return
    # sys.stdout is bound here, as a download may redirect it.
    terminal = Terminal(plain=False, file=sys.stdout)
    frames = "dots" if terminal.encoding.startswith("utf") else "line"
    columns = (SpinnerColumn(frames), TextColumn(what, markup=False), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True) as spinner:
        spinner.add_task("", total=None)
        yield SpinnerStopper(spinner)


class SpinnerStopper:
    """Stops a spinner, if there is one, when a run starts."""

    def __init__(self, spinner: Progress | None = None) -> None:
        self.spinner = spinner

    @hookimpl(tryfirst=True)
    def ganzoo_run_started(self) -> None:
        """Stops the spinner before other observers print."""
        if self.spinner is not None:
            self.spinner.stop()
