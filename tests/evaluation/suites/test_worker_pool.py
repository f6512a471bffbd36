"""Slots of the worker pool: devices are distributed, threads are shared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ganzoo.errors import GanzooError
from ganzoo.evaluation.suites.worker_pool import Worker, WorkerSlot, worker_slots


def with_devices(monkeypatch: pytest.MonkeyPatch, count: int, threads: int = 8) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)


@pytest.mark.parametrize(
    ("devices", "device", "jobs", "expected"),
    [
        (0, "auto", None, [("cpu", 8)]),
        (0, "auto", 4, [("cpu", 2)] * 4),
        (0, "cpu", 20, [("cpu", 1)] * 20),
        (3, "auto", None, [("cuda:0", 2), ("cuda:1", 2), ("cuda:2", 2)]),
        (2, "cuda", 4, [("cuda:0", 2), ("cuda:1", 2), ("cuda:0", 2), ("cuda:1", 2)]),
        (2, "cuda:1", None, [("cuda:1", 8)]),
        (2, "cuda:1", 2, [("cuda:1", 4)] * 2),
        (2, "cpu", None, [("cpu", 8)]),
    ],
)
def test_devices_are_dealt_out_and_threads_are_shared(
    devices: int,
    device: str,
    jobs: int | None,
    expected: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_devices(monkeypatch, devices)
    assert worker_slots(device, jobs) == [WorkerSlot(*one) for one in expected]


def test_a_device_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with_devices(monkeypatch, 1)
    with pytest.raises(GanzooError, match="cuda:1"):
        worker_slots("cuda:1", None)


def test_a_worker_that_cannot_start_is_a_failed_run_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "broken"
    program.write_text(f"#!{sys.executable}\nraise SystemExit(7)\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    worker = Worker(WorkerSlot("cpu", 1), tmp_path / "log.txt")
    (message,) = worker.run({"anything": 1})
    assert message["done"] == {
        "status": "failed",
        "reason": f"its process ended with status 7; see {tmp_path / 'log.txt'}",
    }
