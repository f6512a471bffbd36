"""The benchmarks that cannot be run here are known to work all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [sys.executable, str(BENCHMARKS / name), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so() -> None:
    done = run("gpu.py")
    assert done.returncode == 2
    assert done.stderr.startswith("This needs a GPU")


@pytest.mark.slow
def test_the_rehearsal_walks_through_every_row(tmp_path: Path) -> None:
    done = run("gpu.py", "--cpu-rehearsal", "--json", str(tmp_path / "gpu.json"))
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert written["machine"].startswith("REHEARSAL")
    assert [row for row in written["rows"] if not row["milliseconds"]] == []
    assert len(written["rows"]) == 4 * (1 + 2 * 5 + 1) + 1


def test_memory_counts_a_networks_activations() -> None:
    """A hidden layer of 20,000 numbers for 64 images, real and generated, is 10 MiB; it is kept, or computed again."""
    script = (
        "import memory; case = ('vanilla_mnist', memory.images(1, 28), ('discriminator.hidden=[20000]',));"
        "print(memory.peak(*case, twice=False), memory.peak(*case, twice=True))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{BENCHMARKS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept, _ = map(int, done.stdout.split())
    weights = 784 * 20_000 * 4  # the gradient of the layer's weights
    layer = 2 * 64 * 20_000 * 4
    assert weights + layer <= kept <= weights + 5 * layer + 16 * 2**20
