"""Downloads: a file appears under its name once its digest is the published one, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import re
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.network import VARIABLE, network_is_allowed
from ganzoo.datasets.temporaries import temporary_beside
from ganzoo.errors import DatasetUnavailable
from ganzoo.recipe.plain_file import MIB, open_plain_file, size_text

TIMEOUT = 15.0
"""Seconds to wait for a mirror's answer, and for each piece of it."""

MAX_UNPACKED = 1024 * MIB
"""The most bytes that a downloaded .gz is unpacked to."""

PIECE = MIB


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on one or several servers. digest: "sha256:..." or "md5:...", as published; limit: in bytes."""

    urls: Sequence[str]
    digest: str
    limit: int


def download(remote: Remote, path: Path, *, name: str, remedy: str) -> None:
    """Downloads a file to `path`, from the first server that has it.

    It is written beside, under a name that nothing reads, and renamed once its digest is right; what a killed process
    left of it is removed. name: of what is downloaded, for messages; remedy: of the error where that fails.
    Raises: DatasetUnavailable.
    """
    if not network_is_allowed():
        what = f"{name} is not on this machine, and nothing is downloaded: --no-network or {VARIABLE} is set."
        raise DatasetUnavailable(what, remedy=remedy)
    reasons = {}
    for url in remote.urls:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary_beside(path) as part:
                receive(url, part, remote)
                part.replace(path)
            return
        except (OSError, http.client.HTTPException, ValueError) as error:
            reasons[urlsplit(url).netloc] = " ".join(str(error).split()) or type(error).__name__
    told = "; ".join(f"{server}: {reason}" for server, reason in reasons.items())
    raise DatasetUnavailable(f"{name} is not on this machine and cannot be downloaded ({told}).", remedy=remedy)


def receive(url: str, part: Path, remote: Remote) -> None:
    """Writes a server's answer to `part`. Raises: OSError, HTTPException, ValueError where it is not the file."""
    kind, _, expected = remote.digest.partition(":")
    digest, size, begin = hashlib.new(kind, usedforsecurity=False), 0, b""
    request = urllib.request.Request(url, headers={"User-Agent": "ganzoo"})  # noqa: S310  # addresses in the source
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, part.open("wb") as file:  # noqa: S310  # ditto
        announced = answer.headers.get("Content-Length", "")
        while piece := answer.read(PIECE):
            size, begin = size + len(piece), begin or piece[:100]
            if size > remote.limit:
                raise ValueError(f"more than {size_text(remote.limit)} came")
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() == expected:
        return
    if announced.isdecimal() and size < int(announced):
        raise ValueError(f"cut off after {size:,} of {int(announced):,} bytes")
    page = "a web page and " if re.match(rb"\s*<(!doctype|html|\?xml)", begin, re.IGNORECASE) else ""
    raise ValueError(f"{page}not the file: {size:,} bytes whose {kind.upper()} is not {expected}")


def unpack_gzip(packed: Path, path: Path) -> None:
    """Unpacks a downloaded .gz of at most MAX_UNPACKED bytes beside it, whole or not at all. Raises: OSError."""
    with open_plain_file(packed, limit=MAX_UNPACKED) as file, gzip.open(file, "rb") as unpacked:
        content = unpacked.read(MAX_UNPACKED + 1)
    if len(content) <= MAX_UNPACKED:
        replace_file(path, content)
