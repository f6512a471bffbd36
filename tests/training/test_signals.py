"""What ends a run from outside: Ctrl-C, once and twice, SIGTERM, SIGHUP, and a terminal that is closed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.runs.checkpoint import load_checkpoint

if sys.platform == "win32":
    pytest.skip("signals and terminals of POSIX", allow_module_level=True)

import pty

Write = Callable[[Path, str], Path]

LONG = "[train]\nsteps = 100000000\nlog_every = 1\ncheckpoint_every = 100000000\nsample_every = 0\n"


class Run:
    """A run in a process of its own, which has begun: standard output and error as they are given."""

    def __init__(self, recipe: Path, out: Path, *, terminal: bool = False, quiet: bool = False, nohup: bool = False):
        self.out = out
        self.master, slave = pty.openpty() if terminal else (None, None)
        command = [sys.executable, "-m", "ganzoo", "run", str(recipe), "--out", str(out), "--device", "cpu"]
        stream: Any = slave if terminal else subprocess.PIPE

        def before() -> None:
            os.setsid()
            if terminal:
                import fcntl
                import termios

                fcntl.ioctl(1, termios.TIOCSCTTY, 0)
            if nohup:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

        self.process = subprocess.Popen(
            [*command, *(["--quiet"] if quiet else [])],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            preexec_fn=before,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if slave is not None:
            os.close(slave)
        self.wait_for_rows(3)

    def wait_for_rows(self, rows: int) -> None:
        """Waits until the run has written so many rows."""
        metrics = self.out / "metrics.jsonl"
        while not metrics.exists() or metrics.read_bytes().count(b"\n") < rows:
            assert self.process.poll() is None, self.process.communicate()
            self.drain()

    def drain(self) -> None:
        """Reads what stands in the terminal, so that the run can write."""
        import select

        if self.master is None:
            select.select([], [], [], 0.02)
        elif select.select([self.master], [], [], 0.02)[0]:
            os.read(self.master, 65536)

    def close_terminal(self) -> None:
        assert self.master is not None
        os.close(self.master)

    def end(self) -> tuple[int, dict[str, Any], str]:
        """The exit status, run.json, and what was printed to a pipe."""
        said = b"".join(part or b"" for part in self.process.communicate(timeout=60))
        return self.process.returncode, json.loads((self.out / "run.json").read_text()), said.decode()


@pytest.mark.parametrize(
    ("number", "why"),
    [
        pytest.param(signal.SIGINT, "Ctrl-C", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "SIGTERM", marks=pytest.mark.slow),
        (signal.SIGHUP, "SIGHUP"),
    ],
)
def test_a_signal_ends_a_run_with_a_checkpoint(tmp_path: Path, small_recipe: Write, number: int, why: str) -> None:
    run = Run(small_recipe(tmp_path / "small.toml", LONG), tmp_path / "run", quiet=True)
    run.process.send_signal(number)
    status, facts, said = run.end()
    assert (status, facts["status"], facts["reason"], said) == (130, "interrupted", why, "")
    load_checkpoint(ganzoo.load(tmp_path / "run").files.checkpoint(facts["step"]))


@pytest.mark.parametrize("quiet", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_closed_terminal_ends_a_run_with_a_checkpoint(tmp_path: Path, small_recipe: Write, quiet: bool) -> None:
    run = Run(small_recipe(tmp_path / "small.toml", LONG), tmp_path / "run", terminal=True, quiet=quiet)
    run.close_terminal()
    status, facts, _ = run.end()
    assert (status, facts["status"]) == (130, "interrupted")
    load_checkpoint(ganzoo.load(tmp_path / "run").files.checkpoint(facts["step"]))


def test_a_run_under_nohup_outlives_its_terminal(tmp_path: Path, small_recipe: Write) -> None:
    run = Run(small_recipe(tmp_path / "small.toml", LONG), tmp_path / "run", terminal=True, nohup=True)
    run.close_terminal()
    run.master = None
    run.wait_for_rows((tmp_path / "run" / "metrics.jsonl").read_bytes().count(b"\n") + 40)
    run.process.send_signal(signal.SIGTERM)
    status, facts, _ = run.end()
    assert (status, facts["status"], facts["reason"]) == (130, "interrupted", "SIGTERM")


class CtrlCTwice:
    """Ctrl-C at a step, and again before the step is over."""

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_twice_is_an_interruption_and_no_failure(tmp_path: Path, small_recipe: Write) -> None:
    recipe = small_recipe(tmp_path / "small.toml", "[train]\nsteps = 20\nlog_every = 1\ncheckpoint_every = 4\n")
    with pytest.raises(KeyboardInterrupt):
        ganzoo.train(recipe, out=tmp_path / "run", quiet=True, observers=[CtrlCTwice()])
    run = ganzoo.load(tmp_path / "run")
    assert (run.status, run.facts["reason"], run.checkpoint_step) == ("interrupted", "Ctrl-C, and then at once", 4)
    assert ganzoo.resume(tmp_path / "run", quiet=True).status == "finished"
