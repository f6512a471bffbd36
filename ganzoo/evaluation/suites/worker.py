"""The other end of a worker process: plays one run of a suite after another, as it is told on standard input.

Orders and news are lines of JSON. Standard input that ends means: finish the step, keep everything, go home. That is
how Ctrl-C reaches a worker, and it is what happens as well where whoever gave the orders was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from _thread import interrupt_main
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from ganzoo.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from ganzoo.runs.run import Run

Say = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """The process: what is printed on the way goes to standard error, so that standard output holds news alone."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin deaf to it
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as news:
        os.dup2(2, 1)
        say: Say = lambda what: print(json.dumps(what), file=news)  # noqa: E731
        orders = SimpleQueue[dict[str, Any] | None]()
        threading.Thread(target=listen, args=(orders,), daemon=True).start()
        try:
            while (order := orders.get()) is not None:
                say({"done": play(order, say)})
        except (KeyboardInterrupt, BrokenPipeError):
            return


def listen(orders: SimpleQueue[dict[str, Any] | None]) -> None:
    """Passes orders on as they come; at their end interrupts whatever is being done."""
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put(None)
    interrupt_main()


def play(order: Mapping[str, Any], say: Say) -> dict[str, str]:
    """Trains a run from wherever it is to its end, and scores it: {"status": ...} and, where it failed, the reason.

    order: see `order_for`. Whatever goes wrong with this run is its own affair: the next one is played all the same.
    """
    try:
        run = trained(order, say)
        if run.status == "interrupted":
            return {"status": "interrupted"}
        scored(run, order, say)
    except KeyboardInterrupt:
        return {"status": "interrupted"}
    except Exception as error:
        from ganzoo.errors import GanzooError
        from ganzoo.plugins import frame_said

        traceback.print_exc()
        known = isinstance(error, GanzooError)
        said = str(error) if known else f"{type(error).__name__}: {error}{frame_said(error)}"
        return {"status": "failed", "reason": said}
    return {"status": "done"}


def trained(order: Mapping[str, Any], say: Say) -> Run:
    """The run, trained to its end or until it was interrupted."""
    import ganzoo
    from ganzoo.evaluation.suites.runs import TRAINED

    directory = Path(order["directory"])
    told = {
        "device": order["device"],
        "data_root": order["data_root"],
        "observers": [Teller(say), Clock(Path(order["clock"]))],
        "quiet": True,
    }
    if not (directory / "run.json").exists():
        return ganzoo.train(order["recipe"], seed=order["seed"], out=directory, fallback=False, **told)
    run = ganzoo.load(directory)
    return run if run.status in TRAINED else ganzoo.resume(directory, **told)


def scored(run: Run, order: Mapping[str, Any], say: Say) -> None:
    """Makes and records the run's scores."""
    import ganzoo

    say({"scoring": True})
    ganzoo.evaluate(run, device=order["device"], data_root=order["data_root"], **order["score"])


class Teller:
    """Tells of a run's steps."""

    def __init__(self, say: Say) -> None:
        self.say = say

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """Where it goes on from."""
        self.say({"step": run.step, "total": run.total_steps})

    @hookimpl
    def ganzoo_metrics(self, run: Run, step: int, values: Mapping[str, float]) -> None:
        """How far it is."""
        self.say({"step": step, "total": run.total_steps, "seconds": values["seconds"]})


class Clock:
    """Keeps the CPU time that a run took up to each row and checkpoint: it hardly depends on what else a machine does.

    file: step -> CPU seconds of this process and its threads, from the run's beginning, over all resumes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.times: dict[str, float] = {}

    @hookimpl
    def ganzoo_run_started(self, run: Run) -> None:
        """Goes on from what it took to get to this step; a run that began elsewhere has no known time."""
        try:
            before = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            before = {}
        self.began = time.process_time()
        self.times = {"0": 0.0} if run.step == 0 else {step: t for step, t in before.items() if int(step) <= run.step}
        self.before = self.times.get(str(run.step))

    @hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        """Here too, for a kill may come between a checkpoint and what is told of it."""
        self.write(step)

    @hookimpl
    def ganzoo_checkpoint(self, step: int) -> None:
        """The time that a resumed run goes on from."""
        self.write(step)

    def write(self, step: int) -> None:
        """Writes down what it took to get here."""
        from ganzoo.datasets.atomic import replace_json

        if self.before is not None:
            self.times[str(step)] = round(self.before + time.process_time() - self.began, 3)
            replace_json(self.file, self.times)


if __name__ == "__main__":
    main()
