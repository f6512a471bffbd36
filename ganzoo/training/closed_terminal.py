"""A terminal that has been closed while a program writes to it: every write fails, and it never comes back."""

from __future__ import annotations

import errno
import os
import sys

STANDARD_STREAMS = (0, 1, 2)


def is_closed_terminal(stream: int) -> bool:
    """Whether a file descriptor is of a terminal whose window or connection is gone. Files and pipes are none."""
    if sys.platform == "win32":
        return False
    import termios

    try:
        termios.tcgetattr(stream)
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)
    return False


def leave_closed_terminal() -> bool:
    """Sends what is still printed to nowhere if the terminal was closed, so that nothing fails for it.

    Returns: whether it was; False if that has been done before.
    """
    closed = [stream for stream in STANDARD_STREAMS if is_closed_terminal(stream)]
    if closed:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in closed:
            os.dup2(nowhere, stream)
        os.close(nowhere)
    return bool(closed)
