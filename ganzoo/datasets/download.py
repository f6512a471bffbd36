"""Downloads through torchvision, with its mirrors and checksums, and with a timeout."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from ganzoo.errors import DatasetUnavailable

TIMEOUT = 15.0
"""Seconds to wait for a mirror's answer; torchvision sets no timeout."""


def download(name: str, root: Path, *, remedy: str) -> None:
    """Downloads torchvision's data set `name` (MNIST, FashionMNIST, KMNIST) into root/NAME/raw and checks each MD5.

    remedy: of the error where that fails. Raises: DatasetUnavailable.
    """
    from torchvision import datasets

    with network_access(name, remedy):
        getattr(datasets, name)(str(root), download=True)


@contextmanager
def network_access(name: str, remedy: str) -> Iterator[None]:
    """Inside, network calls time out after TIMEOUT seconds, and their failures are raised as DatasetUnavailable."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        # torchvision prints its progress and each failed mirror; ganzoo reports one message.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    except (OSError, RuntimeError, HTTPException, ValueError) as error:
        lines = str(error).strip().splitlines()
        reason = lines[0].rstrip(":") if lines else type(error).__name__
        raise DatasetUnavailable(
            f"{name} is not on this machine and cannot be downloaded ({reason}).", remedy=remedy
        ) from error
    finally:
        socket.setdefaulttimeout(before)
