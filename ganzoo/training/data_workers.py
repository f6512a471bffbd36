"""The worker processes that read data ahead of a run: their number, their start, and their handling of signals."""

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

from ganzoo.datasets.placement import local_world_size
from ganzoo.errors import TrainingFailed

Batches = Iterator[Any]

MAX_WORKERS = 8
"""The largest default number of workers."""

START_TIMEOUT, START_ATTEMPTS = 15.0, 3
"""Seconds that workers have to start in, and the number of attempts."""

PR_SET_PDEATHSIG = 1
"""An option of Linux's prctl(2): the signal sent to a process when the thread that created it ends."""


def default_workers() -> int:
    """One less than the cores of this rank, at least one and at most MAX_WORKERS."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(MAX_WORKERS, cores // local_world_size() - 1))


def start_workers(create_loader: Callable[[Callable[[int], None]], Batches], workers: int) -> Batches:
    """Starts a loader, and returns its batches when all of its workers run.

    create_loader: takes the function that initialises a worker, and returns the loader's iterator.

    A process that is forked while a thread of C++ code enters Python, as threads of gloo do, may hang: Python 3.11
    waits in it for a lock which that thread held. All workers are then killed and started again.

    Raises: TrainingFailed if they have not started after START_ATTEMPTS attempts.
    """
    if sys.platform != "linux" or not workers:
        return create_loader(init_worker)
    for _ in range(START_ATTEMPTS):
        before = set(multiprocessing.active_children())
        reader, writer = os.pipe()

        def init(number: int, ends: tuple[int, int] = (reader, writer)) -> None:
            init_worker(number)
            os.write(ends[1], b"!")
            for end in ends:
                os.close(end)

        try:
            batches = create_loader(init)
            if wait_for_workers(reader, workers):
                return batches
        finally:
            os.close(reader)
            os.close(writer)
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
        del batches  # joins the workers
    raise TrainingFailed(
        f"the processes that read the data did not begin within {START_TIMEOUT:g} seconds, {START_ATTEMPTS} times.",
        remedy="The machine may be too busy for them: train.workers=0 reads in the run's own process.",
    )


def wait_for_workers(pipe: int, workers: int) -> bool:
    """Whether each worker has written a byte to the pipe before the timeout."""
    missing, deadline, poller = workers, time.monotonic() + START_TIMEOUT, select.poll()
    poller.register(pipe, select.POLLIN)
    while missing and poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
        missing -= len(os.read(pipe, missing))
    return not missing


def init_worker(_: int) -> None:
    """Initialises a worker so that only the run's own process, or the end of that process, stops it.

    Ctrl-C, a closed terminal, and the SIGTERM of torchrun or of a cluster's scheduler reach all processes of a run,
    which then finishes its step and needs its workers for that. A worker that outlived a killed run would keep
    inherited descriptors open: the lock, on which a resume waits, and connections, whose end tells other ranks that
    this one is lost.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run = multiprocessing.parent_process()
    if sys.platform == "linux" and run is not None:
        signal.signal(signal.SIGTERM, lambda *_: None)  # for threads that a library started earlier
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != run.pid:  # the run ended before prctl took effect
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_exit_on_sigterm, args=(run.pid,), daemon=True).start()


def _exit_on_sigterm(run: int | None) -> None:
    """Ends this process when process `run` sends SIGTERM, as DataLoader and multiprocessing do to end a worker."""
    if sys.platform == "linux":
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != run:
            pass
        os._exit(0)


@contextmanager
def preserved_sigchld_handler() -> Iterator[None]:
    """Restores the handler of SIGCHLD that a DataLoader replaces when it starts.

    With DataLoader's handler, the end of a worker would raise in the main thread at any point, for instance during a
    collective operation; without it, it is raised when the worker's batch is due.
    """
    main = sys.platform != "win32" and threading.current_thread() is threading.main_thread()
    reader = signal.getsignal(signal.SIGCHLD) if main else None
    try:
        yield
    finally:
        if reader is not None:
            signal.signal(signal.SIGCHLD, reader)


def lost_worker_message(error: Exception) -> str:
    """How a worker process ended, according to the loader; "" if the error was raised inside a worker."""
    message = str(error)
    if "in DataLoader worker process" in message:
        return ""
    if isinstance(error, RuntimeError) and message.startswith("DataLoader worker (pid"):
        return message.partition(". ")[0].rpartition(") ")[2]  # without its process number
    # right after its end: a batch's shared memory is passed through a connection to its worker
    return repr(error) if isinstance(error, (ConnectionError, EOFError, FileNotFoundError)) else ""
