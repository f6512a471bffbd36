"""Worker processes that play a suite's runs, as many at once as there are seats."""

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

from ganzoo.evaluation.suites.runs import Planned, SuiteDirectory
from ganzoo.evaluation.suites.suite import Scoring

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a worker works: a device, and how many threads it has there."""

    device: str
    threads: int


@dataclass(frozen=True, slots=True)
class News:
    """What a worker says of a run: at `step` of `total`, being scored, or at its end `status` with the reason.

    status: "done", "failed", "interrupted", or "" while it goes on.
    """

    run: Planned
    step: int | None = None
    total: int | None = None
    scoring: bool = False
    status: str = ""
    reason: str = ""


def seats(device: str, jobs: int | None) -> list[Seat]:
    """One seat a CUDA device where there are any, else `jobs` on the CPU that share its threads.

    device: "auto", "cpu", "cuda" (all of them) or "cuda:1". jobs: None for one, or one a device.
    Raises: GanzooError where the device does not exist.
    """
    import torch

    from ganzoo.training.device import choose_device

    chosen = choose_device(device)
    threads = torch.get_num_threads()  # OMP_NUM_THREADS, or the cores there are
    if chosen.type == "cpu":
        jobs = jobs or 1
        return [Seat("cpu", max(1, threads // jobs))] * jobs
    several = device in ("auto", "cuda")
    devices = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if several else [str(chosen)]
    jobs = jobs or len(devices)
    return [Seat(devices[number % len(devices)], max(1, threads // jobs)) for number in range(jobs)]


def order_for(run: Planned, folder: SuiteDirectory, scoring: Scoring, data_root: Path | None) -> dict[str, Any]:
    """What a worker is told of a run, all but the device."""
    return {
        "recipe": str(folder.recipe(run.entry)),
        "seed": run.seed,
        "directory": str(run.directory),
        "clock": str(folder.clock(run)),
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


class Crew:
    """The workers. On leaving they are sent home: each finishes its step, writes a checkpoint, and ends."""

    def __init__(self, seats: Sequence[Seat], log: Path) -> None:
        self.seats = seats
        self.log = log
        self.news = SimpleQueue[News]()
        self.leaving = threading.Event()
        self.workers: dict[int, Worker] = {}
        self.threads: list[threading.Thread] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        try:
            for worker in list(self.workers.values()):
                worker.send_home()
            for thread in self.threads:
                thread.join()
        except BaseException:  # a second Ctrl-C is obeyed at once
            for worker in list(self.workers.values()):
                worker.process.kill()
            raise

    def play(self, runs: Sequence[Planned], orders: Sequence[Mapping[str, Any]]) -> Iterator[News]:
        """Has every run played, and passes on what is said of each, its end last."""
        waiting = SimpleQueue[tuple[Planned, Mapping[str, Any]]]()
        for item in zip(runs, orders, strict=True):
            waiting.put(item)
        for number, seat in enumerate(self.seats[: len(runs)]):
            thread = threading.Thread(target=self.serve, args=(number, seat, waiting), daemon=True)
            self.threads.append(thread)
            thread.start()
        left = len(runs)
        while left:
            news = self.news.get()
            left -= bool(news.status)
            yield news

    def serve(self, number: int, seat: Seat, waiting: SimpleQueue[tuple[Planned, Mapping[str, Any]]]) -> None:
        """One seat: a worker that is given the next run when it is done with one, and replaced if it dies."""
        while True:
            try:
                run, order = waiting.get_nowait()
            except Empty:
                break
            worker = self.workers.get(number)
            if worker is not None and worker.process.poll() is not None:
                worker.gone()
                worker = None
            if worker is None:
                worker = self.workers[number] = Worker(seat, self.log)
            if self.leaving.is_set():  # asked after the worker is known, so that none is forgotten
                break
            for said in worker.play({**order, "device": seat.device}):
                self.news.put(told(run, said))
        if number in self.workers:
            self.workers[number].send_home()
            self.workers[number].gone()


class Worker:
    """One process, spoken to in lines of JSON."""

    def __init__(self, seat: Seat, log: Path) -> None:
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ganzoo.evaluation.suites.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, **dict.fromkeys(THREADS, str(seat.threads))},
                text=True,
                encoding="utf-8",
                start_new_session=True,  # a terminal's Ctrl-C goes to whoever gives the orders
            )
        self.orders, self.news = cast("IO[str]", self.process.stdin), cast("IO[str]", self.process.stdout)
        self.log = log

    def play(self, order: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Gives an order, and passes on what is said until it is done, or the process is."""
        with suppress(OSError, ValueError):  # it ended, or was sent home: then there is no news either
            self.orders.write(json.dumps(order) + "\n")
            self.orders.flush()
        for line in self.news:
            said: dict[str, Any] = json.loads(line)
            yield said
            if "done" in said:
                return
        code = self.gone()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        yield {"done": {"status": "failed", "reason": f"its process {how}; see {self.log}"}}

    def send_home(self) -> None:
        """Closes its standard input."""
        with suppress(OSError):  # it went by itself
            self.orders.close()

    def gone(self) -> int:
        """Waits for its end, and gives its exit status."""
        code = self.process.wait()
        self.send_home()
        self.news.close()
        return code


def told(run: Planned, said: Mapping[str, Any]) -> News:
    """A line from a worker as news."""
    if "done" in said:
        return News(run, status=said["done"]["status"], reason=said["done"].get("reason", ""))
    if "step" in said:
        return News(run, step=said["step"], total=said["total"])
    return News(run, scoring=True)
