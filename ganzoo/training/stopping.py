"""Ends a run before its budget is spent: [train.stop], Ctrl-C, SIGTERM, and SIGHUP, which a closed terminal sends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.recipe.model import Stop
from ganzoo.training.closed_terminal import leave_closed_terminal

HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""The signal of a closed terminal; Windows has none."""


class StopConditions:
    """Checks the logged rows for the recipe's [train.stop]. Its state is saved with checkpoints.

    occasional_metrics: names that are not in every row, the scores of [evaluate]; rows without them are skipped.
    """

    def __init__(self, stop: Stop | None, *, occasional_metrics: Collection[str] = ()) -> None:
        self.stop = stop or Stop()
        self.occasional_metrics = occasional_metrics
        self.best: float | None = None
        self.rows_since_best = 0

    def state_dict(self) -> dict[str, Any]:
        """The best value so far and the rows since, JSON-serialisable."""
        return {"best": self.best, "rows_since": self.rows_since_best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self.best, self.rows_since_best = state["best"], state["rows_since"]

    def reason(self, row: Mapping[str, float]) -> str | None:
        """The reason to stop after this row, as text, or None. Raises: GanzooError if the metric is not logged."""
        stop = self.stop
        if stop.seconds is not None and row["seconds"] >= stop.seconds:
            return f"{stop.seconds:g} seconds of training are over"
        if stop.metric is None:
            return None
        if stop.metric not in row:
            if stop.metric in self.occasional_metrics:
                return None
            raise GanzooError(
                f'train.stop.metric: this run logs no "{stop.metric}".', remedy=f"It logs: {', '.join(row)}."
            )
        value = row[stop.metric]
        if stop.target is not None and self._at_least_as_good(value, stop.target):
            return f"{stop.metric} reached its target: {value:g}"
        best = self.best
        if best is None or (value != best and self._at_least_as_good(value, best)):
            self.best, self.rows_since_best = value, 0
            return None
        self.rows_since_best += 1
        if stop.patience is not None and self.rows_since_best >= stop.patience:
            return f"{stop.metric} has not bettered {best:g} for {stop.patience} rows"
        return None

    def _at_least_as_good(self, value: float, other: float) -> bool:
        return value <= other if self.stop.direction == "down" else value >= other


class Interrupted(Exception):
    """A step was not started, because the run was asked to stop during its preparation."""


class Interruption:
    """While entered, the first Ctrl-C (or SIGTERM) requests a stop after the current step; a second interrupts at once.

    SIGHUP requests a stop, too, and never more: a closed terminal sends it several times, and before SIGTERM. Where it
    is ignored, as under nohup, it stays so. Outside of the main thread no signals are handled.

    stop_requested: whether to stop; why: the cause, as text.
    ignore_repeats: a second signal has no effect. torchrun forwards to its ranks signals that the terminal has sent
    them already; it kills them by itself after 30 seconds.
    """

    def __init__(self, *, ignore_repeats: bool = False) -> None:
        self.stop_requested = False
        self.why = "another rank was asked to stop"  # unless this one is
        self.ignore_repeats = ignore_repeats
        self.ignores_hangup = False
        self._signalled = False
        self._recording = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        self.ignores_hangup = HANGUP is not None and signal.getsignal(HANGUP) == signal.SIG_IGN
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle_signal)
            if HANGUP is not None and not self.ignores_hangup:
                self._before[HANGUP] = signal.signal(HANGUP, self._handle_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def request(self, why: str) -> None:
        """Requests a stop after the current step. The first cause is the one that is told."""
        if not self.stop_requested:
            self.stop_requested, self.why = True, why

    def terminal_closed(self) -> None:
        """Requests a stop, unless the run was started so that it outlives its terminal."""
        if not self.ignores_hangup:
            self.request("the terminal was closed")

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Inside, signals have no effect: what a run has come to is written down."""
        self._recording = True
        try:
            yield
        finally:
            self._recording = False

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        insisted = self._signalled and number != HANGUP and not self.ignore_repeats
        self._signalled |= number != HANGUP
        self.request("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name)
        if insisted and not self._recording:
            raise KeyboardInterrupt


@contextmanager
def signals_as_ctrl_c() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does: for programs whose helpers play the runs.

    A repeated SIGHUP has no effect, and one that is ignored stays so. Outside of the main thread nothing is handled.
    """
    before: dict[int, Any] = {}

    def interrupt(*_: object) -> None:
        if HANGUP is not None:
            signal.signal(HANGUP, signal.SIG_IGN)
        leave_closed_terminal()
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, HANGUP):
            if number is not None and signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
