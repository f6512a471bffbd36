"""What each rank does for test_distributed.py, under torchrun: several runs in a process, for torch takes long to load.

It writes what it saw to rank-<rank>.json in the folder that it is given.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from pathlib import Path

import torch

import ganzoo
from ganzoo.errors import GanzooError


def threads() -> list[str]:
    """The names of this process's threads, where the system lists them."""
    return sorted(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))


def main(folder: Path) -> None:
    rank = int(os.environ["RANK"])
    seen: dict[str, object] = {"threads": torch.get_num_threads()}

    def attempt(name: str, recipe: str = "shared", trouble: str = "", **options: object) -> None:
        os.environ["TROUBLE"] = trouble
        try:
            run = ganzoo.train(folder / f"{recipe}.toml", out=folder / name, device="cpu", plain=True, **options)
            seen[name] = [run.status, run.step]
        except GanzooError as error:
            seen[name] = [type(error).__name__, str(error), error.exit_status]

    attempt("shared")
    attempt("penalised", "penalised")
    attempt("changed", "changed")
    attempt("tuned", "tuned", start__from=folder / "shared")
    attempt("conditional", "conditional")
    attempt("straight", "own")
    attempt("streamed", "streamed")
    for name, recipe in (("stopped", "own"), ("streamed, stopped", "streamed")):
        attempt(name, recipe, "is asked to stop")
        os.environ["TROUBLE"] = ""
        seen[f"{name}, resumed"] = [(run := ganzoo.resume(folder / name, quiet=True)).status, run.step]
    attempt("indivisible", train__batch_size=15)
    attempt("only rank 1 knows", "absent" if rank else "shared")
    attempt("is not a number", "own", "is not a number")
    attempt("drifts", "own", "drifts")
    (folder / f"rank-{rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    at_exit = Path(sys.argv[1]) / f"threads-{os.environ['RANK']}.json"
    atexit.register(lambda: at_exit.write_text(json.dumps(threads())))  # registered first, and so the last to be called
    main(Path(sys.argv[1]))
