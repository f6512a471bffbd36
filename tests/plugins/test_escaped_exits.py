"""Plugins that end the program, or whose exceptions have no text: they are named, and nobody claims success."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ganzoo
from ganzoo.plugins import zoo
from ganzoo.plugins.containment import EscapedExit, contained, error_text, is_interruption, tell_interrupts_apart

Write = Callable[[Path, str], Path]

RAISES = {
    "exit 0": "raise SystemExit(0)",
    "exit": "import sys; sys.exit()",
    "interrupt": "raise KeyboardInterrupt",
    "generator exit": "raise GeneratorExit",
    "base": "raise type('Odd', (BaseException,), {})('odd')",
    "recursion": "f = lambda: f(); f()",
    "no text": "raise type('Mute', (Exception,), {'__str__': lambda s: 1 / 0, '__repr__': lambda s: 1 / 0})()",
    "no string": "raise type('Mute', (Exception,), {'__str__': lambda s: 3})()",
    "exit in text": "raise type('Mute', (Exception,), {'__str__': lambda s: exit(0)})()",
    "endless": "raise ValueError('x' * 10**7)",
    "click exit": "import click; raise click.exceptions.Exit(0)",
    "click abort": "import click; raise click.Abort()",
    "pipe": "raise BrokenPipeError",
    "status 0": "from ganzoo.errors import GanzooError; e = GanzooError('odd'); e.exit_status = 0; raise e",
}

MODULE = """
from ganzoo import Component, hookimpl
def act():
    {raises}
{at_import}

@hookimpl
def ganzoo_components():
    {in_components}
    return [Component("loss", "odd", "odd_parts:Loss"), Component("loss", "absent", "odd_target:Loss"),
            Component("metric", "odd-metric", "odd_parts:Metric"), Component("command", "oddly", "odd_parts:oddly")]

@hookimpl
def ganzoo_metrics(run):
    {in_event}
"""

PARTS = """
import click
from ganzoo import Loss as Base, Metric as BaseMetric
from ganzoo.core.losses import NonSaturating
def act():
    {raises}

class Loss(NonSaturating):
    def __init__(self, *, where: str = "") -> None:
        super().__init__()
        self.where, self.calls = where, 0
        if where == "constructor":
            act()

    def generator(self, fake, real=None):
        self.calls += 1
        if self.where == "dry run" or (self.where == "training" and fake.device.type == "cpu" and self.calls > 2):
            act()
        return super().generator(fake, real)

class Metric(BaseMetric):
    gives = {{"odd": "up"}}
    needs = "samples"
    kinds = ()
    def __call__(self, real, fake, *, seed):
        act()

@click.command()
def oddly():
    act()
"""


def install(site: Path, raises: str, place: str = "") -> None:
    """A plugin that raises where `place` says."""
    lines = {"at_import": "", "in_components": "pass", "in_event": "pass"}
    if place in lines:
        lines[place] = "act()"
    site.mkdir()
    (site / "odd_plugin.py").write_text(MODULE.format(raises=raises, **lines))
    (site / "odd_parts.py").write_text(PARTS.format(raises=raises))
    (site / "odd_target.py").write_text(f"def act():\n    {raises}\nact()\n")
    info = site / "odd_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-dist\nVersion: 1.7\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nodd_plugin = odd_plugin\n")
    (info / "RECORD").write_text("odd_plugin.py,,\nodd_parts.py,,\nodd_target.py,,\n")


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with the plugin."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "ganzoo", *arguments]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, cwd=site, capture_output=True, text=True, check=False
    )


@pytest.fixture
def in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[..., tuple[int, str]]]:
    """Installs the plugin in this process, with the command line's handler of SIGINT; gives what runs a command."""
    before = signal.getsignal(signal.SIGINT)

    def prepare(raises: str, place: str = "") -> Callable[..., tuple[int, str]]:
        install(tmp_path / "site", raises, place)
        monkeypatch.syspath_prepend(tmp_path / "site")
        zoo.cache_clear()

        def command(*arguments: str) -> tuple[int, str]:
            from ganzoo.cli import exit_status

            with pytest.MonkeyPatch.context() as patch:
                out = (tmp_path / "out").open("w+", encoding="utf-8")
                patch.setattr(sys, "stdout", out)
                patch.setattr(sys, "stderr", out)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                tell_interrupts_apart()
                status = exit_status([*arguments])
            out.close()
            return status, (tmp_path / "out").read_text(encoding="utf-8")

        return command

    yield prepare
    signal.signal(signal.SIGINT, before)
    zoo.cache_clear()
    for name in ("odd_plugin", "odd_parts", "odd_target"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("place", ["at_import", "in_components"])
@pytest.mark.parametrize("raises", RAISES.values(), ids=RAISES)
def test_list_answers_and_names_the_plugin(raises: str, place: str, in_this_process: Callable[..., object]) -> None:
    command = in_this_process(raises, place)
    status, said = command("list", "plugins", "--json")
    assert status == 0
    [row] = [row for row in json.loads(said)["plugins"] if row["name"] == "odd_plugin"]
    assert (row["status"], row["distribution"], row["version"]) == ("broken", "odd-dist", "1.7")
    assert 0 < len(row["cause"]) < 3000
    assert command("list")[0] == 0


@pytest.mark.parametrize("raises", RAISES.values(), ids=RAISES)
def test_no_run_is_finished_by_what_ends_a_program(
    raises: str, tmp_path: Path, small_recipe: Write, in_this_process: Callable[..., object]
) -> None:
    command = in_this_process(raises)
    for place in ("constructor", "dry run", "training"):
        text = f'[loss]\nname = "odd"\nwhere = "{place}"\n[train]\nsteps = 6\nsample_every = 0'
        recipe = small_recipe(tmp_path / "recipe.toml", text)
        out = tmp_path / place.replace(" ", "-")
        status, said = command("run", str(recipe), "--out", str(out), "--device", "cpu", "--quiet")
        assert status in (1, 2), (place, said)
        assert len(said) < 6000
        assert "Traceback" not in said
        assert "odd_parts.py" in said or "odd" in said.lower(), (place, said)
        if place == "training":
            assert ganzoo.load(out).status == "failed"
            if "GanzooError" not in raises and "Pipe" not in raises:
                assert "the plugin odd_plugin (odd-dist 1.7)" in said, said
        else:
            assert not out.exists()


@pytest.mark.parametrize("raises", RAISES.values(), ids=RAISES)
def test_a_target_that_ends_the_program_at_its_import_is_named(
    raises: str, tmp_path: Path, small_recipe: Write, in_this_process: Callable[..., object]
) -> None:
    recipe = small_recipe(tmp_path / "recipe.toml", '[loss]\nname = "absent"')
    status, said = in_this_process(raises)("run", str(recipe), "--out", str(tmp_path / "run"))
    assert status == 2, said
    assert "odd_plugin (odd-dist 1.7)" in said


# a GanzooError in a hook is meant for the user, and ends the run
@pytest.mark.parametrize(
    "raises", [pytest.param(code, id=name) for name, code in RAISES.items() if "GanzooError" not in code]
)
def test_a_hook_that_ends_the_program_does_not_end_the_run(
    raises: str, tmp_path: Path, small_recipe: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_recipe(tmp_path / "recipe.toml", "[train]\nsteps = 4\nlog_every = 2\nsample_every = 0")
    install(tmp_path / "site", raises, "in_event")
    monkeypatch.syspath_prepend(tmp_path / "site")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    tell_interrupts_apart()
    zoo.cache_clear()
    try:
        with pytest.warns(UserWarning, match=r"the plugin odd_plugin \(odd-dist 1.7\) failed in ganzoo_metrics"):
            done = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    finally:
        signal.signal(signal.SIGINT, before)
        zoo.cache_clear()
        for name in ("odd_plugin", "odd_parts"):
            sys.modules.pop(name, None)
    assert done.status == "finished"


def test_a_metric_that_ends_the_program_is_no_success(
    tmp_path: Path, small_recipe: Write, in_this_process: Callable[..., object]
) -> None:
    made = ganzoo.train(small_recipe(tmp_path / "r.toml", ""), out=tmp_path / "run", device="cpu", quiet=True)
    status, said = in_this_process("raise SystemExit(0)")(
        "evaluate", str(made.directory), "--metric", "odd-metric", "-n", "100"
    )
    assert status == 1, said
    assert "the plugin odd_plugin (odd-dist 1.7) raised SystemExit (0)" in said


@pytest.mark.parametrize(
    ("raises", "status"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(5)", 5),
        ("raise KeyboardInterrupt", 1),
        ("raise GeneratorExit", 1),
    ],
)
def test_a_plugins_command_says_its_own_status(
    raises: str, status: int, in_this_process: Callable[..., object]
) -> None:
    assert in_this_process(raises)("oddly")[0] == status


def test_ctrl_c_in_the_code_of_a_plugin_is_an_interruption(tmp_path: Path) -> None:
    install(tmp_path / "site", "import os, signal; os.kill(os.getpid(), signal.SIGINT)", "at_import")
    done = run(tmp_path / "site", "list")
    assert done.returncode == 130
    assert done.stderr.endswith("interrupted\n")


def test_a_slow_plugin_is_named_with_its_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        tmp_path / "site", "import time; time.perf_counter = lambda before=time.perf_counter: before() + 2", "at_import"
    )
    done = run(tmp_path / "site", "list", "plugins")
    assert "The plugin odd_plugin (odd-dist 1.7) takes 2.0 s to import" in done.stderr
    done = run(tmp_path / "site", "doctor")
    assert "The plugin odd_plugin (odd-dist 1.7) takes 2.0 s to import" in done.stdout


def test_the_text_of_an_exception_is_always_a_text() -> None:
    class Loud(str):
        def __getitem__(self, key: object) -> str:
            raise SystemExit

    class Mute(Exception):
        def __str__(self) -> str:
            return Loud("loud")

    assert error_text(Mute()) == "loud"
    assert error_text(ValueError("x" * 3000)).endswith("... (1,000 more characters)")


def test_outside_of_the_command_line_a_keyboard_interrupt_is_the_users() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert is_interruption(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt), contained():
        raise KeyboardInterrupt
    with pytest.raises(EscapedExit, match=r"a component raised SystemExit \(3\)"), contained():
        raise SystemExit(3)
