"""The processes that read data ahead of a run: how many there are, how they begin, and whom they listen to."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ganzoo.engine.placement import ranks_here

MOST = 8
"""Workers at most, where nobody says how many."""

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl(2): which signal a process is sent once the thread that began it is gone."""


def usual_workers() -> int:
    """One for each core that this rank has but for the one that trains; one at least, and eight at most."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(MOST, cores // ranks_here() - 1))


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
    """What a loader says of a worker that is gone; nothing where one met with this error while it read."""
    said = str(error)
    if "in DataLoader worker process" in said:
        return ""
    if isinstance(error, RuntimeError) and said.startswith("DataLoader worker (pid"):
        return said.partition(". ")[0]
    # right after its end: the memory of a batch is handed over through a connection to who made it
    return repr(error) if isinstance(error, (ConnectionError, EOFError, FileNotFoundError)) else ""
