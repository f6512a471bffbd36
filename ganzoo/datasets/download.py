"""Downloads through torchvision, with its mirrors and checksums, and an end to waiting."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from ganzoo.errors import DatasetUnavailable

PATIENCE = 15.0
"""Seconds to wait for a mirror's answer; torchvision would wait for ever."""


def download(name: str, root: Path, *, why: str) -> None:
    """Gets torchvision's data set `name` (MNIST, FashionMNIST, KMNIST) into root/NAME/raw, each file's MD5 checked.

    why: the remedy for the message where it can't be had. Raises: DatasetUnavailable.
    """
    from torchvision import datasets

    with reachable(name, why):
        getattr(datasets, name)(str(root), download=True)


@contextmanager
def reachable(name: str, why: str) -> Iterator[None]:
    """Inside, a network call waits so long for an answer and no longer; its failure is DatasetUnavailable."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        # torchvision prints its progress and its failed mirrors; ours is one message.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    except (OSError, RuntimeError, HTTPException, ValueError) as error:
        reason = str(error).strip().splitlines()
        said = reason[0].rstrip(":") if reason else type(error).__name__
        raise DatasetUnavailable(
            f"{name} is not on this machine and cannot be downloaded ({said}).", remedy=why
        ) from error
    finally:
        socket.setdefaulttimeout(before)
