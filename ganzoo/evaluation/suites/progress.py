"""How a suite's runs come along: bars in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import click

from ganzoo.evaluation.suites.runs import Planned
from ganzoo.evaluation.suites.worker_pool import News

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PAUSE = 30.0
"""Seconds between two lines of one run."""


class Lines:
    """A line when a run begins, now and then while it goes on, when it is scored, and when it ends."""

    def __init__(self, runs: Sequence[Planned], done: int) -> None:
        self.total, self.done = len(runs) + done, done
        self.spoken: dict[str, float] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing is left to clear away."""

    def take(self, news: News) -> None:
        """Says it, unless something was said of this run a moment ago."""
        name = news.run.name
        if news.status:
            self.done += news.status == "done"
            reason = f": {news.reason.splitlines()[0]}" if news.reason else ""
            self.say(f"{name}: {news.status}{reason}  ({self.done} of {self.total} runs done)")
        elif news.scoring:
            self.say(f"{name}: scoring")
        elif time.monotonic() - self.spoken.get(name, -PAUSE) >= PAUSE:
            self.spoken[name] = time.monotonic()
            self.say(f"{name}: {how_far(news)}")

    def say(self, line: str) -> None:
        """On standard error: standard output is for the table."""
        click.echo(line, err=True)


class Bars:
    """A bar for the suite, and one for each run that is being played."""

    def __init__(self, runs: Sequence[Planned], done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
        )
        self.progress: Progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self.total, self.done = len(runs) + done, done
        self.suite = self.progress.add_task(
            "all runs", total=self.total, completed=done, said=f"{done} of {self.total}"
        )
        self.bars: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Clears the bars away."""
        self.progress.stop()

    def take(self, news: News) -> None:
        """Moves the run's bar."""
        name = news.run.name
        if name not in self.bars:
            self.bars[name] = self.progress.add_task(name, total=news.total, said="")
        if news.status:
            self.done += news.status == "done"
            self.progress.remove_task(self.bars.pop(name))
            self.progress.update(self.suite, completed=self.done, said=f"{self.done} of {self.total}")
            if news.status == "failed":
                self.progress.console.print(f"{name}: failed: {news.reason}", markup=False, highlight=False)
        elif news.scoring:
            self.progress.update(self.bars[name], said="scoring")
        else:
            self.progress.update(self.bars[name], completed=news.step or 0, total=news.total, said=how_far(news))


def how_far(news: News) -> str:
    """The step that a run is at, and of how many; without the end where the budget is seconds."""
    from ganzoo.evaluation.suites.suite import ENDLESS

    return f"step {news.step:,}" + (f" of {news.total:,}" if news.total != ENDLESS else "")


def progress(runs: Sequence[Planned], done: int) -> Lines | Bars:
    """Bars where standard error is a terminal, else lines. done: how many more runs were done before."""
    import os
    import sys

    lively = sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb"
    return Bars(runs, done) if lively else Lines(runs, done)
