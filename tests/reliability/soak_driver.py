"""One run of a soak: trains a recipe for some steps or seconds in this process and prints what it held, as JSON.

python soak_driver.py RECIPE OUT STEPS [KEY=VALUE ...]

Each row is a reading after a logged step: the memory in KiB that is resident, open files, threads, tensors alive.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import torch

import ganzoo


class Readings:
    """An observer that reads what the process holds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, int]] = []

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int, values: Mapping[str, float]) -> None:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
        self.rows.append(
            {
                "step": step,
                "resident": int(status["VmRSS"].split()[0]),
                "files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
                "threads": threading.active_count(),
                "tensors": sum(isinstance(each, torch.Tensor) for each in gc.get_objects()),
            }
        )


if __name__ == "__main__":
    recipe, out, steps, *overrides = sys.argv[1:]
    readings = Readings()
    run = ganzoo.train(recipe, out=out, steps=int(steps), overrides=overrides, observers=[readings], quiet=True)
    print(json.dumps({"status": run.status, "step": run.step, "rows": readings.rows}))
