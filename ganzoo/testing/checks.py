"""A check: one test of one component."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch

from ganzoo.core.random_streams import own_randomness
from ganzoo.errors import GanzooError
from ganzoo.plugins import contained, zoo
from ganzoo.plugins.registration import describe_error
from ganzoo.testing.failure import Failure, NotChecked
from ganzoo.testing.streams import SEED, start_stream

T = TypeVar("T")


class Check:
    """A check of one component of a plugin; calling it raises Failure if the contract is broken.

    subject: "generator dcgan"; asks: the property ("follows its latents"); `str` joins the two.
    question: the test function, called with the result of `about`; its docstring's first paragraph is the contract.
    needs: checks that must pass first: if one fails or is not made, this one is skipped, so that one fault is one
        failure; unless: checks that skip this one only if they fail.
    """

    def __init__(
        self,
        subject: str,
        asks: str,
        question: Callable[[T], None],
        about: Callable[[], T],
        *,
        needs: Sequence[Check] = (),
        unless: Sequence[Check] = (),
    ) -> None:
        self.subject = subject
        self.asks = asks
        self.contract = " ".join((question.__doc__ or "").strip().partition("\n\n")[0].split())
        self.needs = tuple(needs)
        self.unless = tuple(unless)
        self._run: Callable[[], None] = lambda: question(about())
        self._outcome: list[Exception | None] = []

    def outcome(self) -> Exception | None:
        """The result: None (passed), a Failure or NotChecked. The check is run once."""
        if not self._outcome:
            self._outcome.append(self._evaluate())
        return self._outcome[0]

    def __call__(self) -> None:
        """Raises: Failure if the contract is broken, NotChecked if that cannot be determined."""
        __tracebackhide__ = True
        outcome = self.outcome()
        if outcome is not None:
            raise outcome

    def __str__(self) -> str:
        return f"{self.subject}: {self.asks}"

    def __repr__(self) -> str:
        return f"<Check {self}>"

    def _evaluate(self) -> Exception | None:
        for needed in (*self.unless, *self.needs):
            outcome = needed.outcome()
            if isinstance(outcome, Failure):
                return NotChecked(f"needs `{needed}`, which fails", blocks=True)
            if isinstance(outcome, NotChecked) and outcome.blocks and needed in self.needs:
                return outcome
        try:
            with own_randomness(torch.device("cpu")), one_thread(), contained():
                start_stream(SEED)
                self._run()
        except Failure as failure:
            return Failure(failure.found, failure.remedy, self.contract).with_traceback(failure.__traceback__)
        except unittest.SkipTest as reason:
            return reason
        except Exception as error:
            found = (
                error.what if isinstance(error, GanzooError) else f"it raised {describe_error(error, zoo().packages)}."
            )
            broken = Failure(found, error.remedy if isinstance(error, GanzooError) else "", self.contract)
            broken.__cause__ = error
            return broken
        return None


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch uses one thread: for such small data more threads are slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
