"""The textbook's "until it converges", and what may end a run before."""

from __future__ import annotations

import os
import signal

import pytest

from ganzoo.errors import GanzooError
from ganzoo.recipe.model import Stop
from ganzoo.training.stopping import Interruption, StopConditions, signals_as_ctrl_c


def row(value: float, seconds: float = 1.0) -> dict[str, float]:
    return {"seconds": seconds, "loss/generator": value}


def test_nothing_asked_for_never_stops() -> None:
    assert StopConditions(None).reason(row(1.0, 1e9)) is None


def test_the_wall_clock_stops() -> None:
    stop = StopConditions(Stop(seconds=10))
    assert stop.reason(row(1.0, 9.9)) is None
    assert "10 seconds" in str(stop.reason(row(1.0, 10.0)))


@pytest.mark.parametrize(("direction", "before", "reached"), [("down", 0.6, 0.5), ("up", 0.4, 0.5)])
def test_a_target_stops_once_it_is_reached(direction: str, before: float, reached: float) -> None:
    stop = StopConditions(Stop(metric="loss/generator", target=0.5, direction=direction))  # type: ignore[arg-type]
    assert stop.reason(row(before)) is None
    assert "target" in str(stop.reason(row(reached)))


def test_a_plateau_stops_after_so_many_rows_without_a_new_best() -> None:
    stop = StopConditions(Stop(metric="loss/generator", patience=2))
    assert [stop.reason(row(v)) is None for v in (3.0, 2.0, 2.0, 1.5, 1.6)] == [True] * 5
    assert "has not bettered 1.5" in str(stop.reason(row(1.5)))


def test_a_plateau_goes_on_counting_after_a_resume() -> None:
    before = StopConditions(Stop(metric="loss/generator", patience=2))
    before.reason(row(1.0))
    before.reason(row(1.1))
    after = StopConditions(before.stop)
    after.load_state_dict(before.state_dict())
    assert after.reason(row(1.2)) is not None


def test_an_unknown_metric_is_said_with_those_there_are() -> None:
    with pytest.raises(GanzooError, match="fidd") as caught:
        StopConditions(Stop(metric="fidd", target=1)).reason(row(1.0))
    assert "loss/generator" in str(caught.value)


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_it_is_known_what_asked(number: int, why: str) -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
    assert (interruption.stop_requested, interruption.why) == (True, why)


def test_the_first_signal_asks_and_the_second_is_obeyed() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert not interruption.stop_requested
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.stop_requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_closed_terminal_insists_on_nothing() -> None:
    """It sends SIGHUP twice, by the shell and by the system, and SIGTERM beside it where the machine goes down."""
    with Interruption() as interruption:
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
    assert interruption.why == "SIGHUP"


def test_a_run_that_outlives_its_terminal_goes_on() -> None:
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            interruption.terminal_closed()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not interruption.stop_requested


def test_what_a_run_has_come_to_is_recorded_however_often_it_is_interrupted() -> None:
    with Interruption() as interruption, interruption.recording():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
    assert interruption.stop_requested


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_suite_is_ended_by_signals_as_by_ctrl_c(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals_as_ctrl_c():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_suite_whose_terminal_is_closed_has_time_for_its_checkpoints() -> None:
    with signals_as_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
