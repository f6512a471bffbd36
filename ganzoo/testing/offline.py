"""No network during a check."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock


@contextmanager
def offline() -> Iterator[None]:
    """Inside, nothing reaches the network."""

    def refuse(*_: object, **__: object) -> Any:
        raise OSError("no network during a check")

    with mock.patch.object(socket, "getaddrinfo", refuse), mock.patch.object(socket.socket, "connect", refuse):
        yield
