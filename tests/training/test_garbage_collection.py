"""The garbage collector rests while a run is put together, works while it trains, and is left as it was found."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.training.garbage_collection import paused_collection


class Knot:
    """Something that only the collector can free: it holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_python_starts() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


def test_nothing_is_collected_until_training_begins_and_then_only_what_came_since() -> None:
    passes: list[str] = []

    def note(phase: str, _: dict[str, Any]) -> None:
        passes.append(phase)

    gc.callbacks.append(note)
    try:
        with paused_collection() as begin:
            before = weakref.ref(Knot())
            kept = [[] for _ in range(100_000)]  # type: ignore[var-annotated]
            assert len(kept) > gc.get_threshold()[0]
            assert not passes
            begin()
            during = weakref.ref(Knot())
            gc.collect()
            assert during() is None
            assert before() is not None
    finally:
        gc.callbacks.remove(note)
    gc.collect()
    assert before() is None


def test_the_collector_works_while_a_run_trains_and_is_left_as_it_was_found(points: Path, tmp_path: Path) -> None:
    seen = []

    class Watch:
        @ganzoo.hookimpl
        def ganzoo_metrics(self) -> None:
            seen.append(gc.isenabled() and gc.get_freeze_count() > 0)

    ganzoo.train(points, steps=1, out=tmp_path / "run", quiet=True, observers=[Watch()])
    assert seen == [True]
    assert gc.isenabled()
    assert not gc.get_freeze_count()


def test_a_start_that_fails_leaves_the_collector_as_it_was_found() -> None:
    with pytest.raises(ganzoo.GanzooError):
        ganzoo.train("there-is-no-such-recipe")
    assert gc.isenabled()
    assert not gc.get_freeze_count()


def test_somebody_who_collects_by_hand_is_not_overruled() -> None:
    gc.disable()
    gc.freeze()
    frozen = gc.get_freeze_count()
    with paused_collection() as begin:
        begin()
        assert not gc.isenabled()
    assert not gc.isenabled()
    assert gc.get_freeze_count() == frozen
