"""Tests run in as many processes as there are cores, one thread each: with more they would wait for each other.

Signals reach the tests' processes as in a terminal, however pytest itself was started.
"""

from __future__ import annotations

import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:  # read by torch when it is imported, here and in the tests' own processes
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A signal that a process ignores is ignored by those that it starts, too, and ganzoo leaves it so, as nohup means it. A
# handler is not inherited: under nohup, pytest goes on when the terminal is closed, and what the tests start does not.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for what a script starts with "&"
    signal.signal(signal.SIGINT, signal.default_int_handler)
