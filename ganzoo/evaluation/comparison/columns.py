"""Scores of one name and one protocol side by side, and what may be said of who is better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ganzoo.runs.score import Score

Place = tuple[int, int]
"""The best and the worst place that a score may have: (1, 2) is the first or the second."""


@dataclass(frozen=True, slots=True)
class Column:
    """What several runs got in one number under one protocol.

    scores: in the order of the runs, None where a run has none.
    """

    scores: tuple[Score | None, ...]

    @property
    def any(self) -> Score:
        """One of the scores, for what all of them share."""
        return next(score for score in self.scores if score)

    @property
    def name(self) -> str:
        """The number's: "fid", "recall"."""
        return self.any.name

    @property
    def places(self) -> list[Place | None]:
        """Where each stands: first after all that are surely better, last before all that are surely worse.

        None where there is no score, or no other one.
        """
        there = [score for score in self.scores if score]
        if len(there) < 2:
            return [None] * len(self.scores)
        return [place_of(score, there) if score else None for score in self.scores]

    @property
    def best(self) -> int | None:
        """The number of the run that is surely better than every other one; None where none is."""
        places = self.places
        return places.index((1, 1)) if (1, 1) in places else None

    @property
    def not_told_apart(self) -> list[tuple[int, int]]:
        """Pairs of runs whose intervals overlap, or of which one has none."""
        there = [(number, score) for number, score in enumerate(self.scores) if score]
        return [(one, two) for (one, a), (two, b) in combinations(there, 2) if not told_apart(a, b)]

    def to_json(self, labels: Sequence[str]) -> dict[str, Any]:
        """As a JSON object; the protocol by its key, runs by their labels."""
        best = self.best
        return {
            "score": self.name,
            "better": self.any.better,
            "protocol": self.any.protocol.key,
            "runs": {
                label: {**score.to_json(), "protocol": score.protocol.key, "place": place}
                for label, score, place in zip(labels, self.scores, self.places, strict=True)
                if score
            },
            "best": None if best is None else labels[best],
            "not_told_apart": [[labels[one], labels[two]] for one, two in self.not_told_apart],
        }


def place_of(score: Score, among: Sequence[Score]) -> Place:
    """The first and the last place that a score may have among comparable ones, itself one of them."""
    better = sum(surely_better(other, score) for other in among)
    worse = sum(surely_better(score, other) for other in among)
    return 1 + better, len(among) - worse


def told_apart(one: Score, other: Score) -> bool:
    """Whether the intervals of two comparable scores are apart; a score of one draw has none, and is never."""
    return surely_better(one, other) or surely_better(other, one)


def surely_better(one: Score, other: Score) -> bool:
    """Whether all of one's interval is better than all of the other's."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.high < other.low if one.better == "down" else one.low > other.high


def columns(scores: Sequence[Iterable[Score]]) -> list[Column]:
    """The columns of several runs, given what each run's evaluations hold; one column for each number and protocol.

    Of a run's scores that are comparable with each other the `foremost` stands in the column.
    """
    found = [by_protocol(of_run) for of_run in scores]
    return [
        Column(tuple(of_run.get(key) for of_run in found))
        for key in dict.fromkeys(key for of_run in found for key in of_run)
    ]


def by_protocol(scores: Iterable[Score]) -> dict[tuple[str, str], Score]:
    """(a number's name, its protocol's key) -> the foremost of one run's scores of that kind."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.name, score.protocol.key), []).append(score)
    return {key: foremost(group) for key, group in groups.items()}


def foremost(scores: Iterable[Score]) -> Score:
    """Of one run's comparable scores the one of the newest step, the average before raw weights, the most draws."""
    return max(scores, key=lambda score: (score.step, score.ema, len(score.draws), -score.seed, score.date))
