"""Shows the progress of a suite's runs: bars in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import click

from ganzoo.evaluation.suites.runs import PlannedRun
from ganzoo.evaluation.suites.worker_pool import RunEvent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_INTERVAL = 30.0
"""Seconds between two lines about one run."""


class LineProgress:
    """Prints a line when a run starts, every LINE_INTERVAL seconds, when it is scored, and when it ends."""

    def __init__(self, runs: Sequence[PlannedRun], done: int) -> None:
        self.total, self.done = len(runs) + done, done
        self.printed_at: dict[str, float] = {}

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Does nothing."""

    def update(self, event: RunEvent) -> None:
        """Prints a line, unless there was one about this run less than LINE_INTERVAL seconds ago."""
        name = event.run.name
        if event.status:
            self.done += event.status == "done"
            reason = f": {event.reason.splitlines()[0]}" if event.reason else ""
            self.print_line(f"{name}: {event.status}{reason}  ({self.done} of {self.total} runs done)")
        elif event.scoring:
            self.print_line(f"{name}: scoring")
        elif time.monotonic() - self.printed_at.get(name, -LINE_INTERVAL) >= LINE_INTERVAL:
            self.printed_at[name] = time.monotonic()
            self.print_line(f"{name}: {format_step(event)}")

    def print_line(self, line: str) -> None:
        """Prints to standard error; standard output is for the table."""
        click.echo(line, err=True)


class BarProgress:
    """A progress bar for the suite, and one for each active run."""

    def __init__(self, runs: Sequence[PlannedRun], done: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        from ganzoo.display.console.terminal import Terminal

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[status]}", markup=False),
            TimeElapsedColumn(),
        )
        self.progress: Progress = Progress(*columns, console=Terminal(plain=False, stderr=True), transient=True)
        self.total, self.done = len(runs) + done, done
        self.suite = self.progress.add_task(
            "all runs", total=self.total, completed=done, status=f"{done} of {self.total}"
        )
        self.bars: dict[str, TaskID] = {}

    def __enter__(self) -> BarProgress:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Removes the bars."""
        self.progress.stop()

    def update(self, event: RunEvent) -> None:
        """Updates the run's bar."""
        name = event.run.name
        if name not in self.bars:
            self.bars[name] = self.progress.add_task(name, total=event.total, status="")
        if event.status:
            self.done += event.status == "done"
            self.progress.remove_task(self.bars.pop(name))
            self.progress.update(self.suite, completed=self.done, status=f"{self.done} of {self.total}")
            if event.status == "failed":
                self.progress.console.print(f"{name}: failed: {event.reason}")
        elif event.scoring:
            self.progress.update(self.bars[name], status="scoring")
        else:
            self.progress.update(
                self.bars[name], completed=event.step or 0, total=event.total, status=format_step(event)
            )


def format_step(event: RunEvent) -> str:
    """The step of a run, and the total number of steps unless the budget is in seconds."""
    from ganzoo.evaluation.suites.suite import ENDLESS

    return f"step {event.step:,}" + (f" of {event.total:,}" if event.total != ENDLESS else "")


def progress(runs: Sequence[PlannedRun], done: int) -> LineProgress | BarProgress:
    """Bars if standard error is a terminal, else lines. done: the number of runs that were done before."""
    from ganzoo.display.console.terminal import is_interactive

    return BarProgress(runs, done) if is_interactive(stderr=True) else LineProgress(runs, done)
