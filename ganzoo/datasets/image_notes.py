"""What reading images changes or leaves out, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ganzoo.core.data import Field
from ganzoo.datasets.image_modes import bits_of, is_transparent, loses_bits, loses_channels, loses_frames


def conversion_notes(modes: Counter[str], field: Field, *, advice: bool = True) -> list[str]:
    """How many images lose bits, channels, frames or transparency, or are scaled, when they are stored as `field`.

    modes: how often each mode of `header_mode` occurs; advice: whether the data set's options are named.
    """
    total = sum(modes.values())

    def count(which: Callable[[str], bool]) -> int:
        return sum(number for mode, number in modes.items() if which(mode))

    deep = count(lambda mode: bits_of(mode) == 16)
    alpha = 0 if field.shape[0] in (2, 4) else count(is_transparent)
    keeping = f" (channels = {4 if field.shape[0] == 3 else 2} keeps it)" if advice else ""
    conversions = {
        f"have transparency, which is laid on white{keeping}": alpha,
        "of 16 bits are scaled to 8": deep if field.dtype == "uint8" else 0,
        "of 8 bits are scaled to 16": total - deep if field.dtype == "uint16" else 0,
        "of 16 bits a channel in colour or with alpha are read in 8": count(loses_bits),
        "have further channels, which are not read": count(loses_channels),
        "have several frames or pages, of which the first is read": count(loses_frames),
    }
    return [f"{number:,} of {total:,} images {what}" for what, number in conversions.items() if number]
