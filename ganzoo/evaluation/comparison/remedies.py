"""Explains why scores are not comparable, and finds the commands that make them so."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.recipe.messages import format_value
from ganzoo.runs.score import Protocol, Score

DRAWS = 3
"""The default number of draws of `ganzoo evaluate`, enough for an interval."""

FIELD_NAMES = {
    "metric": "the metric",
    "n_real": "real samples",
    "n_fake": "generated samples",
    "extractor": "the extractor",
    "digest": "the extractor's weights",
    "dataset": "the data set",
    "checksum": "the checksum of the real data",
    "split": "the split",
}


def protocol_differences(one: Protocol, other: Protocol) -> list[str]:
    """The differences of two protocols: "generated samples 10,000 and 1,000"."""
    found = [
        f"{word} {describe(getattr(one, field))} and {describe(getattr(other, field))}"
        for field, word in FIELD_NAMES.items()
        if getattr(one, field) != getattr(other, field)
    ]
    for name in dict.fromkeys([*one.options, *other.options]):
        values = [protocol.options.get(name) for protocol in (one, other)]
        if values[0] != values[1]:
            found.append(f"{name} {format_value(values[0])} and {format_value(values[1])}")
    return found


def differ_only_in_weights(one: Protocol, other: Protocol) -> bool:
    """Whether two protocols differ only in the extractor's weights, as when two machines trained it."""
    return one != other and replace(one, digest="") == replace(other, digest="")


def describe(value: object) -> str:
    """A field of a protocol as text; digests are shortened."""
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    return text[:15] if text.startswith("sha256:") else text or "none"


def preferred_protocol(scores_by_run: Sequence[Mapping[str, Score]]) -> str:
    """The key of the protocol for all runs of a metric: the most frequent one, then that with the most samples.

    held: for each run, protocol's key -> one of its scores.
    """
    keys = dict.fromkeys(key for run_scores in scores_by_run for key in run_scores)

    def preference(key: str) -> tuple[int, int, str]:
        having = [run_scores[key] for run_scores in scores_by_run if key in run_scores]
        return len(having), having[0].protocol.n_fake, max(score.date for score in having)

    return max(keys, key=preference)


def commands(directory: Path, lacking: Sequence[Score]) -> Iterator[str]:
    """The `ganzoo evaluate` commands that give a run the scores of `lacking`; metrics with equal options share one."""
    by_options: dict[tuple[str, ...], list[Score]] = {}
    for score in lacking:
        by_options.setdefault(evaluate_options(score), []).append(score)
    for messages, scores in by_options.items():
        metrics = dict.fromkeys(score.protocol.metric for score in scores)
        settings = dict.fromkeys(setting for score in scores for setting in options(score.protocol))
        line = ["ganzoo", "evaluate", str(directory)]
        line += [word for metric in metrics for word in ("--metric", metric)]
        yield shlex.join([*line, *messages, *(word for setting in settings for word in ("--set", setting))])


def evaluate_options(score: Score) -> tuple[str, ...]:
    """The options of `ganzoo evaluate` for a score, without the metric's own."""
    protocol = score.protocol
    messages = ["-n", str(protocol.n_fake)]
    if protocol.split != "test":
        messages += ["--split", protocol.split]
    if protocol.extractor:
        messages += ["--extractor", protocol.extractor.partition(" (")[0]]
    if score.seed:
        messages += ["--seed", str(score.seed)]
    draws = len(score.draws) if len(score.draws) > 1 else DRAWS  # one draw has no interval
    return (*messages, "--draws", str(draws)) if draws != DRAWS else tuple(messages)


def options(protocol: Protocol) -> list[str]:
    """The metric's options that are not defaults, in the syntax of --set."""
    return [
        f"{protocol.metric}.{name}={format_value(value)}"
        for name, value in protocol.options.items()
        if name in (known := defaults(protocol.metric)) and known[name] != value
    ]


def defaults(metric: str) -> Mapping[str, Any]:
    """A metric's default options; empty if the metric is not installed."""
    from ganzoo.metrics.judge import choice_of

    try:
        return choice_of("metric", metric).options
    except GanzooError:
        return {}
