"""A Python that has imported nothing yet, to see what an import brings with it."""

from __future__ import annotations

import os
import subprocess
import sys

from ganzoo.testing.failure import require


def said_by(program: str, *arguments: str, failing: str) -> str:
    """Runs a program of ours with this process's import path, and returns what it prints.

    Raises: Failure where it fails, with `failing` and the end of its error.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603  # our own
    require(done.returncode == 0, f"{failing}: {done.stderr.strip()[-500:]}")
    return done.stdout
