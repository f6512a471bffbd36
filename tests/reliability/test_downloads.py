"""Downloads cut off at any point, or with any byte changed: the file is whole and right, or it is not there."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import random
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ganzoo.datasets.mnist import MNIST
from ganzoo.datasets.network import VARIABLE
from ganzoo.errors import DatasetUnavailable

if TYPE_CHECKING:
    from tests.reliability.conftest import Row

IMAGES = struct.pack(">4i", 0x803, 20, 28, 28) + random.Random(0).randbytes(20 * 784)
LABELS = struct.pack(">2i", 0x801, 20) + bytes(n % 10 for n in range(20))
FILES = {
    f"{split}-{name}-ubyte.gz": gzip.compress(content, mtime=0)
    for split in ("train", "t10k")
    for name, content in (("images-idx3", IMAGES), ("labels-idx1", LABELS))
}


class Mirror(http.server.ThreadingHTTPServer):
    """A mirror on this machine. wrong: name -> the bytes that are sent in the place of the file's."""

    daemon_threads = True
    wrong: dict[str, bytes]
    announced: bool


class Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.strip("/")
        body = self.server.wrong.get(name, FILES[name])
        self.send_response(200)
        if self.server.announced:
            self.send_header("Content-Length", str(len(FILES[name])))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.delenv(VARIABLE, raising=False)
    server = Mirror(("127.0.0.1", 0), Handler)
    server.wrong, server.announced = {}, True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in FILES.items()]
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", resources)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [f"http://127.0.0.1:{server.server_address[1]}/"])
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def damaged(seed: int) -> tuple[str, bytes, str]:
    """A file of the mirror, what comes in its place, and how that came about."""
    draw = random.Random(seed)
    name = draw.choice(sorted(FILES))
    content = FILES[name]
    at = draw.randrange(len(content))
    how = draw.choice(["cut", "bit", "inserted", "swapped"])
    if how == "cut":
        return name, content[:at], f"{name} cut off after {at} bytes"
    if how == "bit":
        return (
            name,
            content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :],
            f"{name} bit {at}",
        )
    if how == "inserted":
        return name, content[:at] + draw.randbytes(9) + content[at:], f"{name} longer at {at}"
    other = draw.choice([other for other in FILES.values() if other != content])
    return name, other, f"{name} is another file"


@pytest.mark.row("A download cut off at any point, or damaged", quick=60, long=1_000)
def test_a_damaged_download_is_not_taken_for_the_file_and_the_next_one_is_whole(
    row: Row, mirror: Mirror, tmp_path: Path
) -> None:
    for seed in row:
        name, content, how = damaged(seed)
        mirror.wrong, mirror.announced = {name: content}, seed % 2 == 0 and len(content) <= len(FILES[name])
        root = tmp_path / str(seed)
        with row.case(f"seed {seed}: {how}"):
            with pytest.raises(DatasetUnavailable, match=r"MNIST is not on this machine .*127\.0\.0\.1"):
                MNIST().load(root)
            for file in (root / "MNIST" / "raw").iterdir():
                assert file.name in FILES or f"{file.name}.gz" in FILES
                assert file.name in FILES or file.read_bytes() in (IMAGES, LABELS)
                assert file.name not in FILES or file.read_bytes() == FILES[file.name]
            mirror.wrong, mirror.announced = {}, True
            assert MNIST().load(root).tensors["real"].numpy().tobytes() == IMAGES[16:]
