"""Python's garbage collector while a run is put together, and while it trains."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[Callable[[], None]]:
    """Inside, the collector rests until the function given is called, and from then on looks at what came since.

    torch and its compiler are hundreds of thousands of objects that stay as long as the process. Left to itself, the
    collector goes through all of them several times while they are imported, and again and again in what follows, to
    find nothing. Afterwards everything is as it was, and what was garbage meanwhile is found by a later pass. Someone
    who has told the collector to rest, or to leave objects alone, is not overruled.
    """
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()

    def go_on() -> None:
        if not frozen:
            gc.freeze()
        if enabled:
            gc.enable()

    gc.disable()
    try:
        yield go_on
    finally:
        if not frozen:
            gc.unfreeze()
        if enabled:
            gc.enable()
