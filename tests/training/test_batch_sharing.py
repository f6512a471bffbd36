"""What passing on batches leaves in the folder for temporary files, and what it does where that folder is odd."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganzoo.datasets.temporaries import join_temporary_folder, temporary_name
from ganzoo.training.batch_sharing import sweep_batches

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked, and folders locked, there")

STREAM = """
import os, sys, torch
from torch import Tensor
from ganzoo.core.data import Source
from ganzoo.training.streamed_data import StreamedData

class Numbers(Source):
    sizes, checksum, origin = {"real": 40}, "listing:0", "a test"

    def fetch(self, key, rows):
        return torch.tensor(rows).float()

def fails(*_):
    raise RuntimeError("No space left on device (28)")

if "full" in sys.argv:
    Tensor.share_memory_ = fails
data = StreamedData(Numbers(), ("real",), batch_size=4, seed=0, device=torch.device("cpu"), workers=1)
print(sorted(int(x) for _ in range(10) for x in data()["real"]) == list(range(40)), flush=True)
if "killed" in sys.argv:
    os.kill(os.getpid(), 9)
"""


def stream(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Draws an epoch in a process that has this folder for temporary files."""
    return subprocess.run(
        [sys.executable, "-c", STREAM, *words],
        env={**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("words", [(), ("full",)])
def test_a_stream_leaves_nothing_in_the_folder_for_temporary_files(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = stream(tmp_path, *words)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_batches_of_a_run_that_was_killed_are_swept_and_those_of_a_living_one_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stream(tmp_path, "full", "killed").returncode == -9
    (left,) = tmp_path.glob(".ganzoo-*.tmp")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    living = tmp_path / temporary_name()
    lock = join_temporary_folder(living)
    sweep_batches()
    assert not left.exists()
    assert living.exists()
    assert lock is not None
    os.close(lock)


def test_a_long_path_of_the_folder_for_temporary_files_does_not_stop_the_stream(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    done = stream(folder)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    assert "Set TMPDIR to a folder" in done.stderr
    assert list(folder.iterdir()) == []
