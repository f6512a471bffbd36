"""Comparable scores (of one name and protocol) of several runs, and their ranks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ganzoo.runs.score import Score

RankRange = tuple[int, int]
"""The best and the worst possible rank of a score: (1, 2) is first or second."""


@dataclass(frozen=True, slots=True)
class Column:
    """The scores of several runs in one number under one protocol.

    scores: in the order of the runs, None where a run has none.
    """

    scores: tuple[Score | None, ...]

    @property
    def any(self) -> Score:
        """One of the scores, for the properties that all share."""
        return next(score for score in self.scores if score)

    @property
    def name(self) -> str:
        """The name of the number: "fid", "recall"."""
        return self.any.name

    @property
    def ranks(self) -> list[RankRange | None]:
        """The possible ranks of each score, after all significantly better and before all significantly worse ones.

        None for a missing score, or if there is no other one.
        """
        present = [score for score in self.scores if score]
        if len(present) < 2:
            return [None] * len(self.scores)
        return [rank_range(score, present) if score else None for score in self.scores]

    @property
    def best(self) -> int | None:
        """The index of the run that is significantly better than every other one, or None."""
        places = self.ranks
        return places.index((1, 1)) if (1, 1) in places else None

    @property
    def not_told_apart(self) -> list[tuple[int, int]]:
        """Pairs of runs whose intervals overlap, or of which one has none."""
        present = [(number, score) for number, score in enumerate(self.scores) if score]
        return [(one, two) for (one, a), (two, b) in combinations(present, 2) if not significantly_different(a, b)]

    def to_json(self, labels: Sequence[str]) -> dict[str, Any]:
        """As a JSON object; the protocol by its key, runs by their labels."""
        best = self.best
        return {
            "score": self.name,
            "better": self.any.better,
            "protocol": self.any.protocol.key,
            "runs": {
                label: {**score.to_json(), "protocol": score.protocol.key, "place": place}
                for label, score, place in zip(labels, self.scores, self.ranks, strict=True)
                if score
            },
            "best": None if best is None else labels[best],
            "not_told_apart": [[labels[one], labels[two]] for one, two in self.not_told_apart],
        }


def rank_range(score: Score, among: Sequence[Score]) -> RankRange:
    """The best and worst possible rank of a score among comparable ones, which include it."""
    better = sum(significantly_better(other, score) for other in among)
    worse = sum(significantly_better(score, other) for other in among)
    return 1 + better, len(among) - worse


def significantly_different(one: Score, other: Score) -> bool:
    """Whether the intervals of two comparable scores do not overlap; False if one has none (a single draw)."""
    return significantly_better(one, other) or significantly_better(other, one)


def significantly_better(one: Score, other: Score) -> bool:
    """Whether the interval of one score is entirely better than that of the other."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.high < other.low if one.better == "down" else one.low > other.high


def columns(scores: Sequence[Iterable[Score]]) -> list[Column]:
    """The columns of several runs, given what each run's evaluations hold; one column for each number and protocol.

    Of comparable scores of one run, the column contains the `representative`.
    """
    found = [by_protocol(run_scores) for run_scores in scores]
    return [
        Column(tuple(run_scores.get(key) for run_scores in found))
        for key in dict.fromkeys(key for run_scores in found for key in run_scores)
    ]


def by_protocol(scores: Iterable[Score]) -> dict[tuple[str, str], Score]:
    """(name of a number, key of its protocol) -> the representative score of one run."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.name, score.protocol.key), []).append(score)
    return {key: representative(group) for key, group in groups.items()}


def representative(scores: Iterable[Score]) -> Score:
    """Of one run's comparable scores: the newest step, then averaged before raw weights, then the most draws."""
    return max(scores, key=lambda score: (score.step, score.ema, len(score.draws), -score.seed, score.date))
