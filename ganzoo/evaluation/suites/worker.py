"""The main program of a worker process: executes runs of a suite one after another, as tasks on standard input say.

Tasks and messages are lines of JSON. When standard input is closed, the worker finishes its step, writes a checkpoint
and ends. That is how Ctrl-C reaches a worker, and also what happens if the parent process is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from _thread import interrupt_main
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.runs.run import Run

ORPHAN_TIMEOUT = 60.0
"""Seconds to wait for the end of a worker whose suite was killed, which writes a checkpoint first."""

Report = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Runs the worker. Prints of other code go to standard error, so that standard output has only messages."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells start background jobs with SIGINT ignored
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as updates:
        os.dup2(2, 1)
        report: Report = lambda what: print(json.dumps(what), file=updates)  # noqa: E731
        tasks = SimpleQueue[dict[str, Any] | None]()
        threading.Thread(target=read_tasks, args=(tasks,), daemon=True).start()
        try:
            while (task := tasks.get()) is not None:
                report({"done": run_task(task, report)})
        except (KeyboardInterrupt, BrokenPipeError):
            return


def read_tasks(tasks: SimpleQueue[dict[str, Any] | None]) -> None:
    """Puts tasks into the queue as they arrive; at the end of input interrupts the main thread."""
    for line in sys.stdin:
        tasks.put(json.loads(line))
    tasks.put(None)
    interrupt_main()


def run_task(task: Mapping[str, Any], report: Report) -> dict[str, str]:
    """Trains a run to its end, starting or resuming it, and scores it.

    task: see `task_for`. Returns: {"status": ...}, with a "reason" if it failed. An exception of this run does not
    prevent the next one.
    """
    try:
        run = train_run(task, report)
        if run.status == "interrupted":
            return {"status": "interrupted"}
        score_run(run, task, report)
    except KeyboardInterrupt:
        return {"status": "interrupted"}
    except Exception as error:
        from ganzoo.plugins import error_report

        traceback.print_exc()
        return {"status": "failed", "reason": error_report(error)}
    return {"status": "done"}


def train_run(task: Mapping[str, Any], report: Report) -> Run:
    """Trains the run to its end or until it is interrupted."""
    import ganzoo
    from ganzoo.errors import RunError
    from ganzoo.evaluation.suites.runs import TRAINED

    directory = Path(task["directory"])
    options = {
        "device": task["device"],
        "data_root": task["data_root"],
        "observers": [ProgressReporter(report), CpuClock(Path(task["clock"]))],
        "quiet": True,
    }
    if not (directory / "run.json").exists():
        return ganzoo.train(task["recipe"], seed=task["seed"], out=directory, fallback=False, **options)
    run = ganzoo.load(directory)
    with suppress(RunError), run.files.training_lock(wait=ORPHAN_TIMEOUT):
        pass  # a worker of a suite that was killed finishes its step first
    return run if run.status in TRAINED else ganzoo.resume(directory, **options)


def score_run(run: Run, task: Mapping[str, Any], report: Report) -> None:
    """Computes and records the run's scores."""
    import ganzoo

    report({"scoring": True})
    ganzoo.evaluate(run, device=task["device"], data_root=task["data_root"], **task["score"])


class ProgressReporter:
    """Reports a run's steps."""

    def __init__(self, report: Report) -> None:
        self.report = report

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """Reports the first step."""
        self.report({"step": run.step, "total": run.total_steps})

    @hookimpl
    def ganzoo_metrics(self, run: Run, step: int, values: Mapping[str, float]) -> None:
        """Reports the step of a row."""
        self.report({"step": step, "total": run.total_steps, "seconds": values["seconds"]})


class CpuClock:
    """Records the CPU time of a run up to each row and checkpoint, which hardly depends on the machine's other load.

    file: step -> CPU seconds of this process and its threads since the start of the run, summed over resumes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.times: dict[int, float] = {}

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """Continues from the time recorded for this step; a run that was started elsewhere has none."""
        from ganzoo.evaluation.suites.cpu_times import read_cpu_times

        before = {} if run.step == 0 else read_cpu_times(self.file)
        self.started_at = time.process_time()
        self.times = {0: 0.0} if run.step == 0 else {step: t for step, t in before.items() if step <= run.step}
        self.cpu_seconds_before = self.times.get(run.step)

    @hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        """Records the time here too, as a run may be killed between a checkpoint and its event."""
        self.write(step)

    @hookimpl
    def ganzoo_checkpoint(self, step: int) -> None:
        """Records the time that a resumed run continues from."""
        self.write(step)

    def write(self, step: int) -> None:
        """Writes the CPU time up to a step."""
        from ganzoo.datasets.atomic import replace_json

        if self.cpu_seconds_before is not None:
            self.times[step] = round(self.cpu_seconds_before + time.process_time() - self.started_at, 3)
            replace_json(self.file, {str(step): seconds for step, seconds in self.times.items()})


if __name__ == "__main__":
    main()
