"""Files that others may have written are read only where they are plain ones, and within a limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganzoo.recipe.plain_file import read_plain_file


def test_a_plain_file_is_read_whole_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_plain_file(file, limit=5) == b"12345"


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(20 * 2**30)
    with pytest.raises(OSError, match="Larger than 1 MiB"):
        read_plain_file(sparse, limit=2**20)


def test_a_pipe_that_nobody_writes_to_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a plain file"):
        read_plain_file(tmp_path / "pipe", limit=5)


@pytest.mark.parametrize("place", ["/dev/zero", "/"])
def test_neither_a_device_nor_a_folder_is_read(place: str) -> None:
    with pytest.raises(OSError, match="Not a plain file"):
        read_plain_file(Path(place), limit=5)
