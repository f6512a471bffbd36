"""A score: a number together with the protocol under which it was measured."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from ganzoo.datasets.atomic import replace_json
from ganzoo.errors import MetricError
from ganzoo.runs.json_file import JsonError, read_json, reason, typed

FORMAT = 1
"""Of a file of scores; rises whenever older code could not read what newer code writes."""

SCORES_FILE = re.compile(r"step-[0-9]{8,}-.+-[0-9a-f]{12}-seed--?[0-9]+-draws-[0-9]+-(ema|raw)\.json", re.DOTALL)
"""The names that `save_scores` gives."""

Better = Literal["down", "up"]
"""Whether lower ("down") or higher ("up") numbers are better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How a score was measured; scores of equal protocols may be compared.

    metric: its name; options: of its constructor; n_real, n_fake: the numbers of samples; extractor: its name and,
    where ganzoo trained it, on what, or "" where the metric uses none; digest: of its weights; dataset: its name;
    checksum: of the split with the real samples; split: "train" or "test".
    """

    __pydantic_config__ = ConfigDict(strict=True, allow_inf_nan=False)

    metric: str
    options: Mapping[str, Any]
    n_real: int
    n_fake: int
    extractor: str
    digest: str
    dataset: str
    checksum: str
    split: str

    @property
    def key(self) -> str:
        """A hash of twelve hexadecimal digits, the same for equal protocols."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def __str__(self) -> str:
        """One line: "10,000 generated against 10,000 of mnist's test split, features of digits (MNIST) 1f2e3d4c"."""
        against = f"{self.n_fake:,} generated against {self.n_real:,} of {self.dataset}'s {self.split} split"
        features = f", features of {self.extractor} {self.digest.rpartition(':')[2][:8]}" if self.extractor else ""
        options = "".join(f", {name} {value}" for name, value in self.options.items())
        return against + features + options


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number of a run, with everything that it depends on.

    name: of the number ("fid", "recall"); value: the mean over the draws; draws: the value for each draw of `n_fake`
    samples; low, high: the interval, None for a single draw; interval: a description of it; floor: the score of as many
    real samples of the other split, None where there are none; better: whether lower or higher is better;
    extractor_facts: further facts about the extractor; step, ema, seed: of the generated samples; versions: of the
    libraries that computed it; date: in UTC.
    """

    __pydantic_config__ = ConfigDict(strict=True, allow_inf_nan=False)

    name: str
    value: float
    draws: tuple[float, ...]
    low: float | None
    high: float | None
    interval: str
    floor: float | None
    better: Better
    protocol: Protocol
    extractor_facts: Mapping[str, str | float]
    run: str
    step: int
    ema: bool
    seed: int
    device: str
    versions: Mapping[str, str]
    date: str

    def comparable(self, other: Score) -> bool:
        """Whether the two scores may be compared."""
        return self.name == other.name and self.protocol == other.protocol

    def to_json(self) -> dict[str, Any]:
        """The score as a JSON object; `protocol` is an object in it, with its key."""
        return {**asdict(self), "protocol": {**asdict(self.protocol), "key": self.protocol.key}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Score:
        """The inverse of `to_json`; keys that a newer ganzoo adds are ignored. Raises: JsonError."""
        return typed(value, _schema(), dataclasses=True)

    def __str__(self) -> str:
        """The number and its protocol as one line."""
        interval = "" if self.low is None or self.high is None else f" [{self.low:.4g}, {self.high:.4g}]"
        floor = "" if self.floor is None else f", real data {self.floor:.4g}"
        return f"{self.name} {self.value:.4g}{interval}{floor} ({self.protocol})"


def save_scores(folder: Path, scores: list[Score]) -> list[Path]:
    """Writes one file for each metric. Repeating an evaluation replaces its own earlier file, and no other."""
    folder.mkdir(exist_ok=True)
    by_metric: dict[str, list[Score]] = {}
    for score in scores:
        by_metric.setdefault(score.protocol.metric, []).append(score)
    paths = []
    for metric, group in by_metric.items():
        first = group[0]
        weights = "ema" if first.ema else "raw"
        plain = re.sub(r"[^\w.+-]", "-", metric)
        drawn = f"seed-{first.seed}-draws-{len(first.draws)}-{weights}"
        name = f"step-{first.step:08d}-{plain}-{first.protocol.key}-{drawn}.json"
        replace_json(folder / name, {"format": FORMAT, "scores": [score.to_json() for score in group]})
        paths.append(folder / name)
    return paths


def read_scores(folder: Path) -> list[Score]:
    """Every score in a run's evaluations/, in the order of file names; files that `save_scores` would have called
    otherwise are left alone. Raises: MetricError, naming a damaged file."""
    scores = []
    for path in sorted(path for path in folder.glob("step-*.json") if SCORES_FILE.fullmatch(path.name)):
        try:
            scores += _scores_in(read_json(path))
        except (OSError, JsonError) as error:
            raise MetricError(
                f"{path}: cannot be read as scores: {reason(error)}.", remedy="Delete it, and evaluate the run again."
            ) from error
    return scores


def _scores_in(content: Any) -> list[Score]:
    """The scores of one file. Raises: JsonError where it holds none, or is of a newer format."""
    if not isinstance(content, dict) or not isinstance(content.get("scores"), list):
        raise JsonError("it has no list of scores")
    if content.get("format", FORMAT) != FORMAT:
        raise JsonError("it was written by a newer ganzoo")
    return typed(content["scores"], _list_schema(), dataclasses=True)


@cache
def _schema() -> TypeAdapter[Score]:
    return TypeAdapter(Score)


@cache
def _list_schema() -> TypeAdapter[list[Score]]:
    return TypeAdapter(list[Score])
