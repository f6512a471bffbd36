"""Tests run in as many processes as there are cores, one thread each: with more they would wait for each other."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # read by torch when it is imported, here and in the tests' own processes
    os.environ.setdefault("OMP_NUM_THREADS", "1")
