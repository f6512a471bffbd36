"""What a person sees of a run, without one being trained: the events of a made-up run."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console as RichConsole

from ganzoo.core.data import DatasetInfo, Field
from ganzoo.display.console import Console, show_spinner
from ganzoo.display.console.listener import Console as Listener
from ganzoo.display.console.messages import format_number

ROW = {"step": 50, "epoch": 0.5, "seconds": 2.0, "samples_per_second": 1600.0}
GAME = {"d_real": 0.71, "loss/discriminator": 0.6, "d_fake": 0.42, "loss/generator": 1.2}


def made_up_run(**facts: Any) -> Any:
    """A run as listeners get it: 100 steps, 50 done."""
    dataset = {
        "name": "mnist",
        "size": 6400,
        "plural": "images",
        "origin": "MNIST/raw",
        "notes": ["12 images were resized"],
        "fallback": None,
    }
    return SimpleNamespace(
        directory=Path("runs/my run"),
        checkpoint=Path("runs/my run/checkpoints/step-00000050"),
        info=DatasetInfo(fields={"real": Field((1, 28, 28), "uint8")}, size=1),
        step=50,
        total_steps=100,
        status=facts.get("status", "finished"),
        recipe=SimpleNamespace(train=SimpleNamespace(epochs=None, batch_size=64, seed=3)),
        facts={
            "recipe": "vanilla",
            "description": "two networks",
            "parameters": {"discriminator": 533505, "generator": 1486352},
            "device": {"type": "cpu", "name": "x86_64", "threads": 2},
            "precision": "fp32",
            "seconds": 2.0,
            "reason": "the budget is spent",
            **facts,
            "dataset": dataset | facts.get("dataset", {}),
        },
    )


def fallen_back() -> Any:
    fallback = {"instead_of": "mnist", "reason": "no network"}
    return made_up_run(dataset={"name": "glyphs", "fallback": fallback})


class Clock:
    """Time that passes when the test says so."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("ganzoo.display.console.listener.time", clock)
    return clock


def row(step: int, **more: float) -> dict[str, float]:
    return {**ROW, "step": step, **GAME, **more}


def test_the_header_says_what_trains_on_what_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    Console(plain=True).ganzoo_run_started(made_up_run())
    said = capsys.readouterr().out
    for part in (
        "vanilla: two networks",
        "mnist: 6,400 images of 1 x 28 x 28 (MNIST/raw)",
        "12 images were resized",
        "discriminator 533,505, generator 1,486,352",
        "cpu (x86_64), 2 threads, fp32",
        "100 steps, batches of 64, seed 3, going on from step 50",
        "runs/my run",
    ):
        assert part in said


def test_a_row_is_a_line_with_the_papers_names(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(plain=True)
    run = made_up_run()
    run.step = 0
    console.ganzoo_run_started(run)
    capsys.readouterr()
    clock.now, run.step = clock.now + 5, 50
    console.ganzoo_metrics(row(50))
    assert capsys.readouterr().out == (
        "step  50/100  epoch 0.50  loss/discriminator 0.600  loss/generator 1.200  D(x) 0.710  D(G(z)) 0.420  "
        "1,600 images/s  left 0:00:05\n"
    )


def test_lines_come_at_most_once_a_second_but_the_first_and_the_last_always(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    console, run = Console(plain=True), made_up_run()
    console.ganzoo_run_started(run)
    for step in range(1, 26):  # ten rows a second
        console.ganzoo_metrics(row(step))
        clock.now += 0.1
    console.ganzoo_run_finished(run)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    steps = [int(line.split("/")[0].removeprefix("step")) for line in lines]
    assert (steps[0], steps[-1]) == (1, 25)
    assert 4 <= len(steps) <= 5


def test_a_long_run_has_a_log_that_can_be_read(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    console, run = Console(plain=True), made_up_run()
    console.ganzoo_run_started(run)
    for second in range(6 * 3600):
        console.ganzoo_metrics(row(second))
        clock.now += 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    # 60 in the first minute, 60 ln(30) = 204 to the half hour, then one every 30 s: 660 in five and a half hours
    assert 850 < len(lines) < 950


def test_what_is_not_logged_is_not_missed(capsys: pytest.CaptureFixture[str]) -> None:
    console, run = Console(plain=True), made_up_run()
    console.ganzoo_run_started(run)
    console.ganzoo_run_finished(run)
    assert "finished    at step 50 of 100: the budget is spent" in capsys.readouterr().out


def test_the_end_says_where_things_are_and_commands_that_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    console, run = Console(plain=True), made_up_run()
    console.ganzoo_run_started(run)
    console.ganzoo_samples(Path("runs/my run/samples/step-00000050.png"))
    console.ganzoo_metrics(row(50))
    console.ganzoo_run_finished(run)
    said = capsys.readouterr().out
    for part in (
        "0:00:02 of training, 25.0 steps/s, 1,600 images/s",
        "runs/my run/samples/step-00000050.png",
        "runs/my run/checkpoints/step-00000050",
        "ganzoo sample 'runs/my run' -o grid.png",
        "ganzoo resume 'runs/my run' --steps 200",
    ):
        assert part in said


def test_an_interrupted_run_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    console, run = Console(plain=True), made_up_run(status="interrupted", reason="Ctrl-C")
    console.ganzoo_run_started(run)
    console.ganzoo_run_finished(run)
    assert "next        ganzoo resume 'runs/my run'  (" in capsys.readouterr().out


def test_a_failed_run_says_why_on_one_line_and_suggests_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console, run = Console(plain=True), made_up_run(status="failed", reason="TrainingFailed: nan.\n  Lower it.")
    console.ganzoo_run_started(run)
    console.ganzoo_run_finished(run)
    said = capsys.readouterr().out
    assert "failed      at step 50 of 100: TrainingFailed: nan.\n" in said
    assert "ganzoo resume" not in said


def test_fallback_data_are_said_loudly_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    console, run = Console(plain=True), fallen_back()
    console.ganzoo_run_started(run)
    before = capsys.readouterr().out
    console.ganzoo_run_finished(run)
    after = capsys.readouterr().out
    for said in (before, after):
        assert '!!! NOT MNIST: this run trains on the fallback data set "glyphs".\n!!! no network\n' in said


def test_a_terminal_gets_a_panel_for_fallback_data() -> None:
    console, file = interactive_console(width=100)
    console.ganzoo_run_started(fallen_back())
    console.live.stop()
    assert "FALLBACK DATA" in file.getvalue()
    assert "NOT MNIST" in file.getvalue()


def interactive_console(width: int) -> tuple[Listener, io.StringIO]:
    file = io.StringIO()
    return Console(plain=False, terminal=RichConsole(file=file, force_terminal=True, width=width)), file


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_live_display_shows_the_newest_numbers_whole_at_every_width(width: int) -> None:
    console, _ = interactive_console(width)
    run = made_up_run()
    console.ganzoo_run_started(run)
    try:
        console.ganzoo_metrics(row(50))
        console.ganzoo_samples(Path("g.png"))
        run.step = 57  # the loop goes on between rows
        shown = io.StringIO()
        RichConsole(file=shown, width=width).print(console.render())
    finally:
        console.live.stop()
    lines = shown.getvalue()
    for part in ("57%", "57 of 100", "D(x) real", "0.710", "D(G(z)) generated", "0.420", "loss/discriminator", "0.600"):
        assert part in lines
    assert max(len(line) for line in lines.splitlines()) <= width


def test_the_live_display_ends_with_the_last_row_and_a_summary() -> None:
    console, file = interactive_console(200)
    run = made_up_run()
    console.ganzoo_run_started(run)
    console.ganzoo_metrics(row(50))
    console.ganzoo_run_finished(run)
    assert not console.live.is_started
    end = file.getvalue()[file.getvalue().index("step  50/100") :]
    assert end.index("finished") < end.index("ganzoo sample")


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"])
def test_a_log_has_no_control_characters_whatever_the_environment_claims(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    console, run = Console(), made_up_run(description="a recipe\x1b[31m from elsewhere\r\nof two lines")
    console.ganzoo_run_started(run)
    console.ganzoo_metrics(row(50))
    console.ganzoo_run_finished(run)
    said = capsys.readouterr().out
    assert console.plain
    assert r"a recipe\x1b[31m from elsewhere of two lines" in said
    assert all(character.isprintable() or character == "\n" for character in said)


def test_lines_are_as_long_as_they_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    console = Console(plain=True)
    console.ganzoo_run_started(made_up_run())
    console.ganzoo_metrics(row(50))
    assert any("D(G(z)) 0.420" in line and line.startswith("step") for line in capsys.readouterr().out.splitlines())


def test_words_that_the_output_cannot_encode_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Console(plain=True).ganzoo_run_started(made_up_run(description="两个网络"))
    assert b"vanilla: ????" in raw.getvalue()


def test_a_reader_that_goes_away_silences_the_console_and_not_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        console, run = Console(), made_up_run()
        console.ganzoo_run_started(run)
        console.ganzoo_metrics(row(50))
        console.ganzoo_run_finished(run)
        assert console.terminal.quiet


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.000"), (0.5, "0.500"), (-12.3456, "-12.346"), (2.5e-6, "2.50e-06"), (1e9, "1.00e+09")]
)
def test_numbers_of_every_size_say_something(value: float, text: str) -> None:
    assert format_number(value) == text


def test_nothing_spins_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with show_spinner("getting ready"):
        pass
    assert capsys.readouterr().out == ""


def test_a_spinner_ends_when_the_run_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Screen())
    monkeypatch.setenv("TERM", "xterm")
    with show_spinner("getting ready") as started:
        assert started.spinner.live.is_started  # type: ignore[attr-defined]
        started.ganzoo_run_started()  # type: ignore[attr-defined]
        assert not started.spinner.live.is_started  # type: ignore[attr-defined]
