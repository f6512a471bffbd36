"""Results of checks that do not pass: failed with a remedy, or not checked with a reason."""

from __future__ import annotations

import unittest
from typing import Any


class Failure(AssertionError):
    """A contract is broken. found: the observation; remedy: what to change; contract: the check's."""

    def __init__(self, found: str, remedy: str, contract: str = "") -> None:
        super().__init__(found, remedy, contract)
        self.found = found
        self.remedy = remedy
        self.contract = contract

    def __str__(self) -> str:
        lines = [self.found]
        if self.contract:
            lines.append(f"  The contract: {self.contract}")
        if self.remedy:
            lines.append(f"  To mend it: {self.remedy}")
        return "\n".join(lines)


class NotChecked(unittest.SkipTest):
    """A check that does not apply or cannot be made, with the reason. pytest shows it as skipped.

    blocks: whether checks that need this one are skipped too.
    """

    def __init__(self, why: str, *, blocks: bool = False) -> None:
        super().__init__(why)
        self.blocks = blocks


def require(condition: Any, found: str, remedy: str = "") -> None:
    """Raises: Failure unless `condition`."""
    if not condition:
        raise Failure(found, remedy)
