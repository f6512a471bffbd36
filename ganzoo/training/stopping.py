"""Reasons to end a run before its budget is spent: [train.stop], Ctrl-C, and a polite kill."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Mapping
from types import FrameType
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.recipe.model import Stop


class StopConditions:
    """Watches the logged rows for the recipe's [train.stop]. `state` is saved with checkpoints.

    rare: what stands in some rows only, the scores of [evaluate]; rows without them are no reason for anything.
    """

    def __init__(self, stop: Stop | None, *, rare: Collection[str] = ()) -> None:
        self.stop = stop or Stop()
        self.rare = rare
        self.state: dict[str, Any] = {"best": None, "rows_since": 0}

    def reason(self, row: Mapping[str, float]) -> str | None:
        """Why to stop after this row, in words, or None. Raises: GanzooError where the metric is not a logged one."""
        stop = self.stop
        if stop.seconds is not None and row["seconds"] >= stop.seconds:
            return f"{stop.seconds:g} seconds of training are over"
        if stop.metric is None:
            return None
        if stop.metric not in row:
            if stop.metric in self.rare:
                return None
            raise GanzooError(
                f'train.stop.metric: this run logs no "{stop.metric}".', remedy=f"It logs: {', '.join(row)}."
            )
        value = row[stop.metric]
        if stop.target is not None and self._at_least_as_good(value, stop.target):
            return f"{stop.metric} reached its target: {value:g}"
        best = self.state["best"]
        if best is None or (value != best and self._at_least_as_good(value, best)):
            self.state = {"best": value, "rows_since": 0}
            return None
        self.state["rows_since"] += 1
        if stop.patience is not None and self.state["rows_since"] >= stop.patience:
            return f"{stop.metric} has not bettered {best:g} for {stop.patience} rows"
        return None

    def _at_least_as_good(self, value: float, other: float) -> bool:
        return value <= other if self.stop.direction == "down" else value >= other


class Interrupted(Exception):
    """A step was not begun, for the run was asked to stop while it was prepared."""


class Interruption:
    """While entered, the first Ctrl-C (or SIGTERM) only asks the loop to finish its step; a second is obeyed at once.

    asked: whether to stop; why: by what, in words. Outside of the main thread signals are left alone.
    patient: a second one changes nothing, for torchrun passes on to its ranks what the terminal told them already; it
    kills them by itself after half a minute.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.asked = False
        self.why = "another rank was asked to stop"  # unless this one is
        self.patient = patient
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked and not self.patient:
            raise KeyboardInterrupt
        self.asked = True
        self.why = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
