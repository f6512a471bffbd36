"""The courses of the learning rate."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from ganzoo.core.interfaces import Schedule
from ganzoo.core.schedules import Constant, Cosine, LinearDecay

BUDGET = [step / 1000 for step in range(1001)]


@pytest.mark.parametrize(
    "schedule", [Constant(), LinearDecay(), LinearDecay(start=0.0, final=0.1), Cosine(), Cosine(final=0.2)]
)
def test_every_course_begins_at_one_and_never_rises(schedule: Schedule) -> None:
    factors = [schedule(progress) for progress in BUDGET]
    assert factors[0] == 1.0
    assert all(later <= earlier for earlier, later in pairwise(factors))
    assert min(factors) >= 0.0


def test_constant_stays() -> None:
    assert {Constant()(progress) for progress in BUDGET} == {1.0}


def test_linear_decay_holds_then_falls_in_a_straight_line() -> None:
    decay = LinearDecay(start=0.5, final=0.2)
    assert {decay(progress) for progress in BUDGET if progress <= 0.5} == {1.0}
    assert decay(0.75) == pytest.approx(0.6)
    assert decay(1.0) == pytest.approx(0.2)
    assert LinearDecay()(1.0) == 0.0


def test_cosine_follows_half_a_wave() -> None:
    for progress in BUDGET:
        assert Cosine()(progress) == pytest.approx((1 + math.cos(math.pi * progress)) / 2)
    assert Cosine(final=0.2)(0.5) == pytest.approx(0.6)
    assert Cosine(final=0.2)(1.0) == pytest.approx(0.2)


@pytest.mark.parametrize("schedule", [LinearDecay(final=0.1), Cosine(final=0.1)])
def test_past_the_budget_the_final_factor_stays(schedule: Schedule) -> None:
    assert schedule(1.5) == pytest.approx(0.1)
