"""Whether the network may be used: `--no-network`, `network=False` and the environment variable GANZOO_OFFLINE."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

VARIABLE = "GANZOO_OFFLINE"
"""Set to anything but 0, it forbids downloads in this process and in those that it starts."""

OTHERS = ("HF_HUB_OFFLINE",)
"""Variables by which libraries that plugins use are told the same."""


def network_is_allowed() -> bool:
    """Whether ganzoo may download what is not on this machine."""
    return os.environ.get(VARIABLE, "") in ("", "0")


@contextmanager
def network_forbidden(forbidden: bool = True) -> Iterator[None]:
    """Inside, nothing is downloaded, and no connection leaves this machine from Python code, plugins' included.

    Processes started inside know it by GANZOO_OFFLINE. forbidden: False to change nothing.
    """
    if not forbidden:
        yield
        return
    before = {name: os.environ.get(name) for name in (VARIABLE, *OTHERS)}
    connections = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
    os.environ.update(dict.fromkeys(before, "1"))
    guarded = [_refusing(function, position) for function, position in zip(connections, (1, 1, 0), strict=True)]
    socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = guarded  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = connections  # type: ignore[method-assign]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _refusing(function: Any, position: int) -> Any:
    """The function, which refuses addresses of other machines. position: of the address in its arguments."""

    def guarded(*args: Any, **options: Any) -> Any:
        address = args[position] if len(args) > position else options.get("host")
        host = address[0] if isinstance(address, tuple) else address if position == 0 else None  # None: a local socket
        if host is not None and not is_this_machine(host):
            raise OSError(f"the network is not to be used (--no-network or {VARIABLE}): {host}")
        return function(*args, **options)

    return guarded


def is_this_machine(host: str | bytes) -> bool:
    """Whether it is an address, or the name, of this machine: ranks and worker processes talk to one another."""
    name = host.decode(errors="replace") if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name in ("", "localhost", socket.gethostname())
