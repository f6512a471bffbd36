"""Plays the cases of test_kills.py: one process that has imported everything, and forks a child for each run.

`python kills_driver.py ROW FOLDER CASES` prints a line of JSON for each case: what was done, and what is wrong with the
end, or "". Runs are killed in a child, gone on with in the next, killed again, and played to their end at last; that
has to be the end of a run that nobody has killed, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import psutil

import ganzoo
from ganzoo.datasets.temporaries import TEMPORARY
from ganzoo.runs.checkpoint import checkpoints_of
from ganzoo.training import launch as launch  # before the first fork: children then begin at once

POINTS = """
description = "a small GAN with everything that a resume must bring back"
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
output = "none"
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[[regularizer]]
name = "r1"
weight = 0.1
every = 3
[dataset]
name = "gaussians"
size = 500
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "rmsprop"
[schedule.generator]
name = "linear-decay"
[ema]
every = 2
[evaluate]
every = 7
metrics = ["gaussian-modes"]
n = 100
[train]
steps = 40
batch_size = 32
log_every = 7
sample_every = 20
checkpoint_every = 9
keep = 2
runner = "eager"
"""

STREAM = """
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[dataset]
name = "image-folder"
path = "{path}"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 40
batch_size = 8
log_every = 7
sample_every = 20
checkpoint_every = 9
data = "stream"
workers = 2
runner = "eager"
"""

WRITES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
"""What Python tells its audit hooks before it changes a file or folder."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

TIMINGS = ("seconds", "samples_per_second")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def end_of(run: Path) -> dict[str, Any]:
    """Everything that a run leaves apart from times, dates and its id."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    facts = json.loads((run / "run.json").read_text())
    tensors = {
        str(file.relative_to(run)): digest(file)
        for folder in ("checkpoints", "best")
        for path in checkpoints_of(run / folder)
        for file in sorted(path.glob("*.safetensors"))
    }
    names = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    return {
        "ended": [facts["status"], facts["reason"], facts["step"]],
        "tensors": tensors,
        "rows": [{name: value for name, value in row.items() if name not in TIMINGS} for row in rows],
        "grids": {file.name: digest(file) for file in sorted((run / "samples").iterdir())},
        "files": names,
    }


def difference(run: Path, expected: dict[str, Any]) -> str:
    """In what a run ended otherwise than expected, or "". What killed writers left must be gone by then."""
    found = end_of(run)
    wrong = [
        f"{part}: {expected[part]} expected, {found[part]} found; "
        for part in expected
        if found[part] != expected[part]
    ]
    return "".join(wrong) + left_behind(run.parent)


def left_behind(folder: Path) -> str:
    """The temporaries in a folder and below, where there are any."""
    left = [str(path) for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name)]
    return f"left behind: {', '.join(left)}" if left else ""


def fork(play: Callable[[], object]) -> int:
    """Returns the process number of a child that plays: exit status 0, 130 if it was interrupted, 1 if it failed."""
    if child := os.fork():
        return child
    status = 1
    try:
        outcome = play()
        status = 130 if getattr(outcome, "status", "") == "interrupted" else 0
    except KeyboardInterrupt:
        status = 130
    except ganzoo.GanzooError as error:
        print(error, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait(child: int) -> int:
    """How a child ended: its exit status, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Kills:
    """The cases of a recipe: what a run of it ends with, how long it takes, and how many file operations it does."""

    def __init__(self, folder: Path, recipe: str) -> None:
        self.folder = folder
        self.recipe = folder / "recipe.toml"
        self.recipe.write_text(recipe)
        straight = folder / "straight" / "run"
        began = time.monotonic()
        self.play(straight)
        self.seconds = time.monotonic() - began
        self.expected = end_of(straight)

    @cached_property
    def operations(self) -> int:
        """The number of file operations of a run."""
        counted = self.folder / "counted"
        assert wait(fork(lambda: self.count(self.folder / "again" / "run", counted))) == 0
        return int(counted.read_text())

    def play(self, run: Path) -> None:
        """Begins a run, or goes on with it, to its end."""
        assert (status := wait(fork(lambda: self.begin_or_resume(run)))) == 0, f"ended with {status}"

    def begin_or_resume(self, run: Path, observers: tuple[object, ...] = ()) -> ganzoo.Run:
        options: dict[str, Any] = {"device": "cpu", "quiet": True, "observers": observers}
        run.parent.mkdir(exist_ok=True)
        if (run / "run.json").exists():
            return ganzoo.resume(run, **options)
        return ganzoo.train(self.recipe, out=run, **options)

    def at_operation(self, run: Path, number: int) -> int:
        """Plays until right before the file operation of that number; returns how the child ended."""

        def killed() -> ganzoo.Run:
            before_operations(run.parent, lambda count: count == number and os.kill(os.getpid(), signal.SIGKILL))
            return self.begin_or_resume(run)

        return wait(fork(killed))

    def count(self, run: Path, where: Path) -> None:
        """Plays, and writes down the number of file operations."""
        counts = [0]
        run.parent.mkdir()
        before_operations(run.parent, counts.append)
        self.begin_or_resume(run)
        where.write_text(str(counts[-1]))

    def after(self, run: Path, seconds: float, number: int = signal.SIGKILL) -> int:
        """Plays for so long, and sends the signal; returns how the child ended."""
        child = fork(lambda: self.begin_or_resume(run))
        time.sleep(seconds)
        os.kill(child, number)
        return wait(child)

    def ended(self, run: Path) -> str:
        """Plays to the end; what is wrong with it."""
        self.play(run)
        return difference(run, self.expected)


def before_operations(folder: Path, tell: Callable[[int], object]) -> None:
    """Calls `tell` with 1, 2, ... before each operation that changes something under the folder."""
    count = 0

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event not in WRITES:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        place = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else ""
        if place.startswith(str(folder)) or (event in ("os.remove", "os.rmdir") and arguments[1] != -1):
            count += 1
            tell(count)

    sys.addaudithook(heard)


def operations(kills: Kills, case: int, cases: int) -> tuple[str, str]:
    """Killed before a file operation, going through all of them, and sometimes again when it goes on."""
    draw = random.Random(case)
    points = [1 + case * kills.operations // cases]
    while draw.random() < 0.3:
        points.append(draw.randint(1, kills.operations // 2))
    run = kills.folder / f"{case}" / "run"
    ends = [kills.at_operation(run, point) for point in points]
    what = f"before operation {', then '.join(map(str, points))} of {kills.operations}"
    return what, "".join(f"it ended with {end}" for end in ends if end not in (-signal.SIGKILL, 0)) or kills.ended(run)


def moments(kills: Kills, case: int, cases: int) -> tuple[str, str]:
    """Killed at a random moment, and sometimes again when it goes on."""
    draw = random.Random(case)
    delays = [draw.uniform(0, 1.1 * kills.seconds)]
    while draw.random() < 0.3:
        delays.append(draw.uniform(0, kills.seconds))
    run = kills.folder / f"{case}" / "run"
    ends = [kills.after(run, delay) for delay in delays]
    what = f"after {', then '.join(f'{delay:.3f} s' for delay in delays)}"
    return what, "".join(f"it ended with {end}" for end in ends if end not in (-signal.SIGKILL, 0)) or kills.ended(run)


class AtStep:
    """Does something at a row."""

    def __init__(self, step: int, act: Callable[[], object]) -> None:
        self.step = step
        self.act = act

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step == self.step:
            self.act()


def signals(kills: Kills, case: int, cases: int) -> tuple[str, str]:
    """Asked to end by a signal, at a row: it writes a checkpoint of that step and says why."""
    draw = random.Random(case)
    number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[case % 3]
    step = draw.choice((7, 14, 21, 28, 35))
    run = kills.folder / f"{case}" / "run"
    observer = AtStep(step, lambda: os.kill(os.getpid(), number))
    status = wait(fork(lambda: kills.begin_or_resume(run, (observer,))))
    facts = json.loads((run / "run.json").read_text())
    found = (status, facts["status"], facts["step"], (run / "checkpoints" / f"step-{step:08d}").is_dir())
    what = f"{number.name} at step {step}"
    return what, "" if found == (130, "interrupted", step, True) and not kills.ended(run) else f"{found}"


def workers(kills: Kills, case: int, cases: int) -> tuple[str, str]:
    """A process that reads the data is killed: the run says so and ends; or the run's is, and they end with it."""
    draw = random.Random(case)
    step = draw.choice((7, 14, 21, 28, 35))
    run = kills.folder / f"{case}" / "run"
    own = case % 3 == 2

    def kill() -> None:
        children = multiprocessing.active_children()
        (kills.folder / f"{case}" / "workers").write_text(" ".join(str(child.pid) for child in children))
        os.kill(os.getpid() if own else draw.choice(children).pid or 0, signal.SIGKILL)

    status = wait(fork(lambda: kills.begin_or_resume(run, (AtStep(step, kill),))))
    what = f"{'the run' if own else 'a worker'} at step {step}"
    wanted = -signal.SIGKILL if own else 1
    if status != wanted:
        return what, f"it ended with {status}"
    deadline = time.monotonic() + 30
    for worker in map(int, (kills.folder / f"{case}" / "workers").read_text().split()):
        while Path(f"/proc/{worker}/cmdline").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        if time.monotonic() >= deadline:
            return what, f"the worker {worker} lives on"
    return what, kills.ended(run)


def torchrun(*words: object) -> subprocess.Popen[str]:
    """Two ranks that play a command of ganzoo's."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "ganzoo", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class RankKills:
    """The cases of a run of two ranks: one is killed, and with it the other ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        recipe = folder / "points.toml"
        recipe.write_text(POINTS.replace("steps = 40", "steps = 400"))
        self.begin = ("run", recipe, "--device", "cpu", "--quiet", "--out")
        straight = torchrun(*self.begin, folder / "straight" / "run")
        assert straight.wait() == 0, straight.communicate()
        self.expected = end_of(folder / "straight" / "run")

    def case(self, case: int, cases: int) -> tuple[str, str]:
        """A rank killed after some rows."""
        draw = random.Random(case)
        run, rows, lost = self.folder / f"{case}" / "run", draw.randint(1, 40), draw.randint(0, 1)
        what = f"rank {lost} after {rows} rows"
        killed, metrics = torchrun(*self.begin, run), run / "metrics.jsonl"
        while killed.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b"\n") >= rows):
            time.sleep(0.005)
        ranks = [each for each in psutil.Process(killed.pid).children() if each.environ().get("RANK") == str(lost)]
        for rank in ranks:
            rank.send_signal(signal.SIGKILL)
        said = killed.communicate()
        if ranks and killed.returncode == 0:
            return what, f"torchrun ended with 0: {said}"
        resumed = torchrun("resume", run, "--quiet")
        said = resumed.communicate()
        return what, difference(run, self.expected) if resumed.returncode == 0 else f"not resumed: {said}"


def write_images(folder: Path) -> Path:
    """Twenty-four grey images."""
    from PIL import Image

    folder.mkdir()
    for number in range(24):
        Image.new("L", (8, 8), number * 10).save(folder / f"{number}.png")
    return folder


def main(row: str, folder: Path, cases: int) -> None:
    """Plays the cases of a row."""
    play: Callable[[int, int], tuple[str, str]]
    if row == "suites":
        from suite_kills import SuiteKills

        play = SuiteKills(folder).case
    elif row == "ranks":
        play = RankKills(folder).case
    else:
        recipe = STREAM.format(path=write_images(folder / "images")) if row == "workers" else POINTS
        cases_of = {"operations": operations, "moments": moments, "signals": signals, "workers": workers}
        play = partial(cases_of[row], Kills(folder, recipe))
    for case in range(cases):
        try:
            what, wrong = play(case, cases)
        except Exception as error:
            what, wrong = "", f"{type(error).__name__}: {error}"
        print(json.dumps({"what": what, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
