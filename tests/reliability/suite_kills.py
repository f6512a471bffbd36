"""A suite that is killed before one of its file operations, and begun again: its runs are played in its own process."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kills_driver import before_operations, fork, left_behind, wait

from ganzoo.evaluation.suites import worker_pool
from ganzoo.evaluation.suites.playing import play
from ganzoo.evaluation.suites.reading import read_suite
from ganzoo.evaluation.suites.worker import run_task

SUITE = """\
description = "points, a few steps"
seeds = [0]

[budget]
steps = 20

[set.dataset]
size = 500
[set.train]
batch_size = 32
log_every = 10
sample_every = 20
checkpoint_every = 10
runner = "eager"

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
steps = 10
[entry.set]
game.n_critic = 1
generator.hidden = [8]
"""


class InProcessWorker:
    """Plays runs in this process, so that whatever kills it kills them."""

    def __init__(self, slot: worker_pool.WorkerSlot, log: Path) -> None:
        self.process = SimpleNamespace(poll=lambda: None, wait=lambda: 0)

    def run(self, task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield {"done": run_task(task, lambda _: None)}

    def close_input(self) -> None:
        """There is none."""

    def wait(self) -> int:
        return 0


def untimed(value: Any) -> Any:
    """A table without what differs between two runs of one seed: how long they took."""
    if isinstance(value, dict):
        return {name: untimed(each) for name, each in value.items() if "seconds" not in name and name != "date"}
    return [untimed(each) for each in value] if isinstance(value, list) else value


class SuiteKills:
    """The cases of the suite: the table that it ends with, and how many file operations that takes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suite = folder / "suite" / "tiny.toml"
        self.suite.parent.mkdir()
        self.suite.write_text(SUITE)
        worker_pool.Worker = InProcessWorker  # type: ignore[assignment,misc]
        counted = folder / "counted"
        assert wait(fork(lambda: self.count(folder / "straight", counted))) == 0
        self.expected = untimed(json.loads((folder / "straight" / "out" / "table.json").read_text()))
        self.operations = int(counted.read_text())

    def play(self, out: Path) -> None:
        """What `ganzoo benchmark` does."""
        suite = read_suite(str(self.suite), steps=None, seconds=None)
        result = play(suite, out, entries=suite.entries, seeds=suite.seeds, device="cpu")
        if result.failed:
            raise AssertionError(result.to_json())

    def count(self, folder: Path, where: Path) -> None:
        """Plays it, and writes down the number of file operations."""
        counts = [0]
        folder.mkdir()
        before_operations(folder, counts.append)
        self.play(folder / "out")
        where.write_text(str(counts[-1]))

    def case(self, case: int, cases: int) -> tuple[str, str]:
        """Killed before a file operation, and begun again with the same command."""
        point, folder = 1 + case * self.operations // cases, self.folder / f"{case}"
        folder.mkdir()

        def killed() -> None:
            before_operations(folder, lambda count: count == point and os.kill(os.getpid(), signal.SIGKILL))
            self.play(folder / "out")

        what = f"before operation {point} of {self.operations}"
        if (end := wait(fork(killed))) not in (-signal.SIGKILL, 0):
            return what, f"it ended with {end}"
        if end := wait(fork(lambda: self.play(folder / "out"))):
            return what, f"begun again, it ended with {end}"
        table = untimed(json.loads((folder / "out" / "table.json").read_text()))
        missing = [name for name in ("table.md", "table.html") if not (folder / "out" / name).is_file()]
        other = "" if table == self.expected else f"another table: {table}; "
        return what, other + left_behind(folder) + "".join(missing)
