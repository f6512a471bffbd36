"""Pauses Python's garbage collector while a run is set up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[Callable[[], None]]:
    """Inside, collection is disabled until the yielded function is called, which freezes existing objects (gc.freeze).

    torch and its compiler create hundreds of thousands of objects that live as long as the process. By default the
    collector scans all of them several times during import, and again during training, and finds nothing. On leaving,
    the previous settings are restored, and a later pass finds garbage of the meantime. A collector that the caller has
    disabled, or frozen, stays so.
    """
    enabled, frozen = gc.isenabled(), gc.get_freeze_count()

    def resume() -> None:
        if not frozen:
            gc.freeze()
        if enabled:
            gc.enable()

    gc.disable()
    try:
        yield resume
    finally:
        if not frozen:
            gc.unfreeze()
        if enabled:
            gc.enable()
