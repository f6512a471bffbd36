"""The processes that read data ahead of a run: how many there are, how they begin, and whom they listen to."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ganzoo.datasets.placement import ranks_here
from ganzoo.errors import TrainingFailed

Batches = Iterator[Any]

MOST = 8
"""Workers at most, where nobody says how many."""

PATIENCE, TRIES = 15.0, 3
"""Seconds in which workers have to begin, and how often they are begun."""

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl(2): which signal a process is sent once the thread that began it is gone."""


def usual_workers() -> int:
    """One for each core that this rank has but for the one that trains; one at least, and eight at most."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(MOST, cores // ranks_here() - 1))


def begun(start: Callable[[Callable[[int], None]], Batches], workers: int) -> Batches:
    """What `start` returns, once all of its workers are at work. start: is given what a worker does first.

    A process that is forked while a thread of C++ code enters Python, as those of gloo do, may never begin: Python 3.11
    waits in it for a lock which that thread held. All are ended then, and begun again.

    Raises: TrainingFailed where that does not help.
    """
    if sys.platform != "linux" or not workers:
        return start(live_for_the_run)
    for _ in range(TRIES):
        before = set(multiprocessing.active_children())
        heard, told = os.pipe()

        def first(number: int, ends: tuple[int, int] = (heard, told)) -> None:
            live_for_the_run(number)
            os.write(ends[1], b"!")
            for end in ends:
                os.close(end)

        try:
            batches = start(first)
            if words_from(heard, workers):
                return batches
        finally:
            os.close(heard)
            os.close(told)
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
        del batches  # it waits for them
    raise TrainingFailed(
        f"the processes that read the data did not begin within {PATIENCE:g} seconds, {TRIES} times.",
        remedy="The machine may be too busy for them: train.workers=0 reads in the run's own process.",
    )


def words_from(pipe: int, workers: int) -> bool:
    """Whether each of so many workers has said a word in time."""
    missing, end, coming = workers, time.monotonic() + PATIENCE, select.poll()
    coming.register(pipe, select.POLLIN)
    while missing and coming.poll(max(0.0, end - time.monotonic()) * 1000):
        missing -= len(os.read(pipe, missing))
    return not missing


def live_for_the_run(_: int) -> None:
    """What a worker does first. It ends where the run ends it, or is no more, and hears nobody else.

    Ctrl-C, and the polite kill of torchrun or of a cluster's scheduler, reach all processes of a run: it finishes its
    step then, for which workers must go on. One that outlives a run that was killed would hold on to what was open
    there: the lock, on which a resume waits, and connections, by whose end other ranks learn that it is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run = multiprocessing.parent_process()
    if sys.platform == "linux" and run is not None:
        signal.signal(signal.SIGTERM, lambda *_: None)  # where it reaches a thread that a library began before this
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != run.pid:  # it was killed before that was said
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_if_told_to, args=(run.pid,), daemon=True).start()


def _end_if_told_to(run: int | None) -> None:
    """Ends this process once `run` sends it SIGTERM, which is how loaders and Python end one that does not listen."""
    if sys.platform == "linux":
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != run:
            pass
        os._exit(0)


@contextmanager
def no_news_of_children() -> Iterator[None]:
    """Inside, a loader may begin; that a worker was killed is then said where its batch is asked for.

    Otherwise the loader has it raised in the main thread whatever it is doing: in a message to other ranks, say.
    """
    main = sys.platform != "win32" and threading.current_thread() is threading.main_thread()
    heard = signal.getsignal(signal.SIGCHLD) if main else None
    try:
        yield
    finally:
        if heard is not None:
            signal.signal(signal.SIGCHLD, heard)


def lost_worker(error: Exception) -> str:
    """How a worker that is gone ended, as the loader says; nothing where one met with this error while it read."""
    said = str(error)
    if "in DataLoader worker process" in said:
        return ""
    if isinstance(error, RuntimeError) and said.startswith("DataLoader worker (pid"):
        return said.partition(". ")[0].rpartition(") ")[2]  # without its name and number
    # right after its end: the memory of a batch is handed over through a connection to who made it
    return repr(error) if isinstance(error, (ConnectionError, EOFError, FileNotFoundError)) else ""
