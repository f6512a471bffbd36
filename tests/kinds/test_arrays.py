"""Files of samples from anywhere: read, or refused by name before they take memory."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo.errors import GanzooError
from ganzoo.kinds.arrays import read_array, write_array


@pytest.mark.parametrize("name", ["samples.npy", "samples.npz"])
def test_samples_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    samples = torch.randn(5, 3, 4)
    write_array(tmp_path / name, samples, {"label": torch.arange(5)})
    assert torch.equal(read_array(tmp_path / name), samples)


def npy(header: str, content: bytes = b"") -> bytes:
    padded = header.encode() + b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + content


def npz(content: bytes, name: str = "samples.npy") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def bomb() -> bytes:
    """An archive whose directory announces a member of 2 GiB."""
    content = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2147483648,)}") + bytes(2**20)
    return npz(content).replace(struct.pack("<I", len(content)), struct.pack("<I", 2**31))


HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 3)}"
WRONG: dict[str, Any] = {
    "an array of terabytes": (npy(HUGE), "is larger than 1 GiB"),
    "an array of terabytes in an archive": (npz(npy(HUGE)), "is larger than 1 GiB"),
    "a member of gigabytes": (bomb(), "larger than 1 GiB"),
    "objects": (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", pickle.dumps([print])), "allow_pickle"),
    "text": (npy("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", bytes(16)), "cannot be read as samples"),
    "cut off": (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,)}", bytes(8)), "cannot be read as samples"),
    "no header": (npy("print()"), "cannot be read as samples"),
    "another member": (npz(b"", "other.npy"), "samples.npy"),
    "a pickle": (pickle.dumps([1, 2]), "cannot be read as samples"),
    "nothing": (b"", "cannot be read as samples"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_is_refused_by_name(what: str, tmp_path: Path) -> None:
    content, reason = WRONG[what]
    path = tmp_path / "mine.npy"
    path.write_bytes(content)
    with pytest.raises(GanzooError, match=r"mine\.npy: this file cannot be read as samples") as caught:
        read_array(path)
    assert reason in str(caught.value)


def test_pipes_and_sparse_files_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(GanzooError, match="Not a plain file"):
        read_array(tmp_path / "pipe.npy")
    (tmp_path / "sparse.npy").touch()
    os.truncate(tmp_path / "sparse.npy", 20 * 2**30)
    with pytest.raises(GanzooError, match="Larger than 1 GiB"):
        read_array(tmp_path / "sparse.npy")


@pytest.mark.filterwarnings("ignore")
def test_a_mutant_is_read_or_refused_by_name(tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", torch.randn(5, 3), {})
    write_array(tmp_path / "a.npz", torch.randn(5, 3), {})
    for seed in range(300):
        draw = random.Random(seed)
        content = bytearray((tmp_path / draw.choice(("a.npy", "a.npz"))).read_bytes())
        for _ in range(draw.randrange(1, 5)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path = tmp_path / "mutant.npy"
        path.write_bytes(content)
        try:
            assert isinstance(read_array(path), torch.Tensor)
        except GanzooError as error:
            refusal = str(error)
            assert refusal.startswith(str(path))  # most mutants are read
