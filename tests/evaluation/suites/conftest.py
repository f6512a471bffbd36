"""A suite of points that takes seconds: two ways to play a ring of Gaussians."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganzoo.evaluation.suites import worker_pool
from ganzoo.evaluation.suites.worker import run_task

TINY = """\
description = "points, a few steps"
seeds = [0, 1]

[budget]
steps = 30

[set.dataset]
size = 500
[set.train]
batch_size = 32
log_every = 10
sample_every = 30
checkpoint_every = 10

[score]
metrics = ["gaussian-modes"]
n = 300

[[entry]]
name = "plain"
recipe = "wgan_gp_gaussians"
set.game.n_critic = 1

[[entry]]
name = "narrow"
recipe = "wgan_gp_gaussians"
steps = 20
[entry.set]
game.n_critic = 1
generator.hidden = [8]
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The suite's file; whatever plays it has one thread: sums are taken in another order by two."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    yield path
    torch.set_num_threads(before)


class InProcessWorker:
    """Plays runs in this process: the same tasks and messages, without the time that a new process takes."""

    def __init__(self, slot: worker_pool.WorkerSlot, log: Path) -> None:
        self.process = SimpleNamespace(poll=lambda: None, wait=lambda: 0)

    def run(self, task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        message: list[Mapping[str, Any]] = []
        done = run_task(task, lambda what: message.append(dict(what)))
        yield from [*message, {"done": done}]

    def close_input(self) -> None:
        pass

    def wait(self) -> int:
        return 0


@pytest.fixture
def in_process_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker process is started."""
    monkeypatch.setattr(worker_pool, "Worker", InProcessWorker)
