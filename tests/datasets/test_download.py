"""Downloads: whole and checked, or not there; and none at all where the network is not to be used."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.datasets import cifar10
from ganzoo.datasets.cifar10 import ARCHIVE, CIFAR10
from ganzoo.datasets.download import Remote, download
from ganzoo.datasets.mnist import MNIST
from ganzoo.datasets.network import VARIABLE, network_forbidden, network_is_allowed
from ganzoo.errors import DatasetUnavailable, MetricError
from ganzoo.metrics import inception
from ganzoo.metrics.inception import FILE, Inception

CONTENT = bytes(range(256)) * 1_000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """A server on this machine. answers: path -> (headers, body, or how the connection goes on)."""

    daemon_threads = True
    answers: dict[str, tuple[int, dict[str, str], bytes]]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        status, headers, body = self.server.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv(VARIABLE, raising=False)
    server = Server(("127.0.0.1", 0), Handler)
    server.answers = {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def answer(body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Length": str(len(body))} | headers, body


def get(server: Server, path: Path, *names: str, limit: int = 2**20) -> None:
    remote = Remote([server.url(name) for name in names], DIGEST, limit)
    download(remote, path, name="The file", remedy="Put it there.")


WRONG = {
    "cut off": (200, {"Content-Length": str(len(CONTENT))}, CONTENT[:1_000], "cut off after 1,000 of 256,000 bytes"),
    "cut off without a length": (200, {}, CONTENT[:1_000], "not the file: 1,000 bytes whose SHA256 is not"),
    "one bit is another": (*answer(CONTENT[:-1] + b"\0"), "not the file: 256,000 bytes whose SHA256 is not"),
    "a page": (*answer(b"<!DOCTYPE html><p>log in"), "a web page and not the file"),
    "longer": (*answer(CONTENT + b"more"), "not the file: 256,004 bytes"),
    "endless": (200, {}, bytes(2**21), "more than 1 MiB came"),
    "missing": (404, {}, b"", "404"),
    "redirected to another length": (302, {"Location": "/short", "Content-Length": "0"}, b"", "not the file: 10 bytes"),
    "redirected in a circle": (302, {"Location": "/wrong", "Content-Length": "0"}, b"", "infinite loop"),
    "redirected to a local file": (302, {"Location": "file:///etc/passwd"}, b"", "not allowed"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_leaves_nothing_and_is_told_with_the_server(what: str, server: Server, tmp_path: Path) -> None:
    *response, reason = WRONG[what]
    server.answers = {"/wrong": tuple(response), "/short": answer(CONTENT[:10])}  # type: ignore[dict-item]
    with pytest.raises(DatasetUnavailable, match=rf"^The file is not on this machine.*127\.0\.0\.1.*{reason}"):
        get(server, tmp_path / "data" / "file", "/wrong")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_right_answer_of_a_second_mirror_is_taken(server: Server, tmp_path: Path) -> None:
    server.answers = {"/wrong": answer(b"no"), "/right": answer(CONTENT)}
    (tmp_path / "file").write_bytes(b"the one before")
    get(server, tmp_path / "file", "/wrong", "/right")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


KILLED = """
import os, sys, threading
from pathlib import Path
from ganzoo.datasets.download import Remote, download
path = Path(sys.argv[2])
def watch():
    while not any(part.stat().st_size for part in path.parent.glob(".ganzoo-*.tmp")): pass
    os._exit(9)
threading.Thread(target=watch, daemon=True).start()
download(Remote([sys.argv[1]], sys.argv[3], 2**30), path, name="The file", remedy="")
"""


def test_a_download_that_was_killed_halfway_is_not_taken_for_the_file_and_its_rest_is_removed(
    server: Server, tmp_path: Path
) -> None:
    large = bytes(2**26)
    server.answers = {"/large": answer(large), "/right": answer(CONTENT)}
    path = tmp_path / "file"
    script = [sys.executable, "-c", KILLED, server.url("/large"), str(path), DIGEST]
    assert subprocess.run(script, timeout=60, check=False).returncode == 9
    (part,) = tmp_path.iterdir()
    assert part.name != "file"
    get(server, path, "/right")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def idx_files() -> dict[str, bytes]:
    images = struct.pack(">4i", 0x803, 3, 28, 28) + bytes(3 * 784)
    labels = struct.pack(">2i", 0x801, 3) + bytes(3)
    return {
        f"{split}-{name}-ubyte.gz": gzip.compress(content)
        for split in ("train", "t10k")
        for name, content in (("images-idx3", images), ("labels-idx1", labels))
    }


@pytest.fixture
def mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A mirror of a small MNIST with its checksums, after one that is damaged."""
    files = idx_files()
    server.answers = {f"/good/{name}": answer(content) for name, content in files.items()}
    server.answers |= {f"/bad/{name}": answer(content[:-9]) for name, content in files.items()}
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]
    monkeypatch.setattr("torchvision.datasets.MNIST.resources", resources)
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [server.url("/bad/"), server.url("/good/")])
    return server


def test_mnist_is_downloaded_from_the_mirror_whose_files_are_right(mirror: Server, tmp_path: Path) -> None:
    assert len(MNIST().load(tmp_path).tensors["real"]) == 3
    files = sorted(path.name for path in (tmp_path / "MNIST" / "raw").iterdir())
    assert files == sorted([*idx_files(), *(name.removesuffix(".gz") for name in idx_files())])
    mirror.answers = {}
    assert len(MNIST().load(tmp_path, "test").tensors["real"]) == 3


def test_a_damaged_cifar_archive_is_not_kept(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = {"/archive": answer(b"<html>")}
    monkeypatch.setattr(cifar10, "URL", server.url("/archive"))
    with pytest.raises(DatasetUnavailable, match=r"CIFAR-10 is not on this machine.*web page"):
        CIFAR10().load(tmp_path)
    assert not (tmp_path / ARCHIVE).exists()


def test_damaged_weights_are_not_kept(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = {"/weights": answer(CONTENT)}
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    with pytest.raises(MetricError, match=r"Inception's file of weights is not on this machine.*SHA256"):
        inception.download_weights(server.url("/weights"), tmp_path / "extractors" / FILE)
    assert list((tmp_path / "extractors").iterdir()) == []


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses of all sockets that are connected, and of all names that are looked up."""
    addresses: list[Any] = []
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def note(found: Callable[..., Any], position: int) -> Callable[..., Any]:
        def noted(*args: Any, **options: Any) -> Any:
            addresses.append(args[position])
            return found(*args, **options)

        return noted

    monkeypatch.setattr(socket.socket, "connect", note(connect, 1))
    monkeypatch.setattr(socket, "getaddrinfo", note(look_up, 0))
    return addresses


@pytest.mark.parametrize("how", ["option", "variable"])
def test_without_the_network_no_socket_is_opened_and_what_is_missing_is_told(
    how: str, tmp_path: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if how == "variable":
        monkeypatch.setenv(VARIABLE, "1")
    for name in ("vanilla_mnist", "dcgan_fashion_mnist", "dcgan_cifar10"):
        command = ["run", name, "--no-fallback", "--data-root", str(tmp_path), "--out", str(tmp_path / "run")]
        assert exit_status([*command, *(["--no-network"] if how == "option" else [])]) == 2
        said = capsys.readouterr().err
        assert "is not on this machine, and nothing is downloaded: --no-network or GANZOO_OFFLINE is set." in said
        assert "GANZOO_DATA" in said
    assert opened == []
    assert [path.name for path in tmp_path.iterdir()] == []
    assert network_is_allowed() == (how == "option")  # the option holds for its command


def test_nor_are_weights_fetched(tmp_path: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    with network_forbidden(), pytest.raises(MetricError, match="nothing is downloaded: --no-network"):
        Inception().prepare(None, None)  # type: ignore[arg-type]  # it asks neither
    assert opened == []


def test_the_fallback_is_used_without_the_network_in_python_too(
    tmp_path: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    run = ganzoo.train(
        "vanilla_mnist", steps=1, network=False, data_root=tmp_path, out=tmp_path / "run", quiet=True,
        dataset__fallback={"name": "gaussians"}, generator__output="none",
    )  # fmt: skip
    assert run.facts["dataset"]["name"] == "gaussians"
    assert "nothing is downloaded" in run.facts["dataset"]["fallback"]["reason"]
    assert ganzoo.resume(tmp_path / "run", steps=2, network=False, quiet=True).step == 2
    assert opened == []


@pytest.mark.parametrize("command", ["resume", "evaluate", "benchmark", "doctor"])
def test_every_command_that_may_download_has_the_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status([command, "--help"]) == 0
    assert "--no-network" in capsys.readouterr().out


def test_a_plugins_code_reaches_no_other_machine_either_but_this_one(server: Server) -> None:
    with network_forbidden():
        with pytest.raises(OSError, match="the network is not to be used"):
            socket.create_connection(("ganzoo.invalid", 80))
        with pytest.raises(OSError, match="the network is not to be used"), socket.socket() as other:
            other.connect(("192.0.2.1", 80))
        socket.create_connection(("127.0.0.1", server.server_address[1])).close()
        assert os.environ[VARIABLE] == "1"  # what processes started here go by
    assert VARIABLE not in os.environ


def test_two_processes_that_download_one_file_both_have_it_whole(server: Server, tmp_path: Path) -> None:
    server.answers = {"/file": (200, {"Content-Length": str(len(CONTENT))}, CONTENT)}
    program = (
        "import sys; from pathlib import Path; from ganzoo.datasets.download import Remote, download\n"
        "download(Remote([sys.argv[1]], sys.argv[2], 10**6), Path(sys.argv[3]), name='a file', remedy='')"
    )
    words = [sys.executable, "-c", program, server.url("/file"), DIGEST, str(tmp_path / "data" / "file")]
    both = [subprocess.Popen(words) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "data").iterdir()] == [("file", CONTENT)]
