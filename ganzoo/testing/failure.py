"""How a check ends that is not kept: failed, with what to mend, or not made, for a reason."""

from __future__ import annotations

import unittest
from typing import Any


class Failure(AssertionError):
    """A contract is broken. found: what was seen; mend: what to change; contract: what was promised (the check's)."""

    def __init__(self, found: str, mend: str, contract: str = "") -> None:
        super().__init__(found, mend, contract)
        self.found = found
        self.mend = mend
        self.contract = contract

    def __str__(self) -> str:
        lines = [self.found]
        if self.contract:
            lines.append(f"  The contract: {self.contract}")
        if self.mend:
            lines.append(f"  To mend it: {self.mend}")
        return "\n".join(lines)


class NotChecked(unittest.SkipTest):
    """A check that does not apply here, or cannot be made, and why. pytest shows it as skipped.

    blocks: whether what needs this check cannot be made either.
    """

    def __init__(self, why: str, *, blocks: bool = False) -> None:
        super().__init__(why)
        self.blocks = blocks


def require(kept: Any, found: str, mend: str = "") -> None:
    """Raises: Failure unless `kept`."""
    if not kept:
        raise Failure(found, mend)
