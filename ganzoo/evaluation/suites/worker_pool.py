"""A pool of worker processes that execute a suite's runs in parallel, one for each slot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any, cast

from ganzoo.evaluation.suites.runs import PlannedRun, SuiteDirectory
from ganzoo.evaluation.suites.suite import Scoring

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class WorkerSlot:
    """The resources of one worker: a device, and a number of threads."""

    device: str
    threads: int


@dataclass(frozen=True, slots=True)
class RunEvent:
    """A progress event of a run: it is at `step` of `total`, is being scored, or has ended with `status` and reason.

    status: "done", "failed", "interrupted", or "" while it is active.
    """

    run: PlannedRun
    step: int | None = None
    total: int | None = None
    scoring: bool = False
    status: str = ""
    reason: str = ""


def worker_slots(device: str, jobs: int | None) -> list[WorkerSlot]:
    """One slot for each CUDA device if there are any, else `jobs` slots on the CPU that share its threads.

    device: "auto", "cpu", "cuda" (all devices) or "cuda:1". jobs: number of slots; None for one on the CPU, or one for
    each device. Raises: GanzooError if the device does not exist.
    """
    import torch

    from ganzoo.training.device import choose_device

    select_entries = choose_device(device)
    threads = torch.get_num_threads()  # OMP_NUM_THREADS, or the number of cores
    if select_entries.type == "cpu":
        jobs = jobs or 1
        return [WorkerSlot("cpu", max(1, threads // jobs))] * jobs
    several = device in ("auto", "cuda")
    devices = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if several else [str(select_entries)]
    jobs = jobs or len(devices)
    return [WorkerSlot(devices[number % len(devices)], max(1, threads // jobs)) for number in range(jobs)]


def task_for(run: PlannedRun, folder: SuiteDirectory, scoring: Scoring, data_root: Path | None) -> dict[str, Any]:
    """The task that a worker gets for a run, without the device."""
    return {
        "recipe": str(folder.recipe(run.entry)),
        "seed": run.seed,
        "directory": str(run.directory),
        "clock": str(folder.cpu_times_file(run)),
        "data_root": None if data_root is None else str(data_root),
        "score": {
            "metrics": scoring.written["metrics"],
            "extractor": scoring.written["extractor"],
            "n": scoring.n,
            "split": scoring.split,
            "draws": scoring.draws,
            "seed": scoring.seed,
            "ema": scoring.ema,
        },
    }


class WorkerPool:
    """The workers. On exit they are shut down: each finishes its step, writes a checkpoint, and ends."""

    def __init__(self, worker_slots: Sequence[WorkerSlot], log: Path) -> None:
        self.worker_slots = worker_slots
        self.log = log
        self.events = SimpleQueue[RunEvent]()
        self.shutting_down = threading.Event()
        self.workers: dict[int, Worker] = {}
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutting_down.set()
        try:
            for worker in list(self.workers.values()):
                worker.close_input()
            for thread in self.threads:
                thread.join()
        except BaseException:  # a second Ctrl-C ends them at once
            for worker in list(self.workers.values()):
                worker.process.kill()
            raise

    def run(self, runs: Sequence[PlannedRun], tasks: Sequence[Mapping[str, Any]]) -> Iterator[RunEvent]:
        """Executes all runs, and yields the events of each, its end last."""
        pending = SimpleQueue[tuple[PlannedRun, Mapping[str, Any]]]()
        for item in zip(runs, tasks, strict=True):
            pending.put(item)
        for number, slot in enumerate(self.worker_slots[: len(runs)]):
            thread = threading.Thread(target=self.run_worker, args=(number, slot, pending), daemon=True)
            self.threads.append(thread)
            thread.start()
        remaining = len(runs)
        while remaining:
            event = self.events.get()
            remaining -= bool(event.status)
            yield event

    def run_worker(
        self, number: int, slot: WorkerSlot, pending: SimpleQueue[tuple[PlannedRun, Mapping[str, Any]]]
    ) -> None:
        """The thread of one slot: gives its worker one task after another, and replaces a worker that has died."""
        while True:
            try:
                run, task = pending.get_nowait()
            except Empty:
                break
            worker = self.workers.get(number)
            if worker is not None and worker.process.poll() is not None:
                worker.wait()
                worker = None
            if worker is None:
                worker = self.workers[number] = Worker(slot, self.log)
            if self.shutting_down.is_set():  # checked after the worker is registered, so that none is missed
                break
            for message in worker.run({**task, "device": slot.device}):
                self.events.put(event_from(run, message))
        if number in self.workers:
            self.workers[number].close_input()
            self.workers[number].wait()


class Worker:
    """One worker process; tasks and events are exchanged as lines of JSON."""

    def __init__(self, slot: WorkerSlot, log: Path) -> None:
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ganzoo.evaluation.suites.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(slot.threads))},
                text=True,
                encoding="utf-8",
                start_new_session=True,  # so that a terminal's Ctrl-C reaches only the parent process
            )
        self.task_pipe, self.message_pipe = cast("IO[str]", self.process.stdin), cast("IO[str]", self.process.stdout)
        self.log = log

    def run(self, task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Sends a task, and yields its messages until it is done or the process has ended."""
        with suppress(OSError, ValueError):  # it has ended or was shut down, so that no messages follow
            self.task_pipe.write(json.dumps(task) + "\n")
            self.task_pipe.flush()
        for line in self.message_pipe:
            message: dict[str, Any] = json.loads(line)
            yield message
            if "done" in message:
                return
        code = self.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        yield {"done": {"status": "failed", "reason": f"its process {how}; see {self.log}"}}

    def close_input(self) -> None:
        """Closes the standard input of the process, which makes it shut down."""
        with suppress(OSError):  # it has ended already
            self.task_pipe.close()

    def wait(self) -> int:
        """Waits for the end of the process, and returns its exit status."""
        code = self.process.wait()
        self.close_input()
        self.message_pipe.close()
        return code


def event_from(run: PlannedRun, message: Mapping[str, Any]) -> RunEvent:
    """The event that a worker's message stands for."""
    if "done" in message:
        return RunEvent(run, status=message["done"]["status"], reason=message["done"].get("reason", ""))
    if "step" in message:
        return RunEvent(run, step=message["step"], total=message["total"])
    return RunEvent(run, scoring=True)
