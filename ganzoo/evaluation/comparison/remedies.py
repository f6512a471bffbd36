"""Why scores cannot be compared, in words, and the commands after which they can be."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.recipe.messages import shown
from ganzoo.runs.score import Protocol, Score

DRAWS = 3
"""What `ganzoo evaluate` draws unless told: enough for an interval."""

WORDS = {
    "metric": "the metric",
    "n_real": "real samples",
    "n_fake": "generated samples",
    "extractor": "the extractor",
    "digest": "the extractor's weights",
    "dataset": "the data set",
    "checksum": "the checksum of the real data",
    "split": "the split",
}


def unlike(one: Protocol, other: Protocol) -> list[str]:
    """What differs between two protocols: "generated samples 10,000 and 1,000"."""
    found = [
        f"{word} {said(getattr(one, field))} and {said(getattr(other, field))}"
        for field, word in WORDS.items()
        if getattr(one, field) != getattr(other, field)
    ]
    for name in dict.fromkeys([*one.options, *other.options]):
        values = [protocol.options.get(name) for protocol in (one, other)]
        if values[0] != values[1]:
            found.append(f"{name} {shown(values[0])} and {shown(values[1])}")
    return found


def same_but_weights(one: Protocol, other: Protocol) -> bool:
    """Whether two protocols differ in the extractor's weights alone, as they do where two machines trained it."""
    return one != other and replace(one, digest="") == replace(other, digest="")


def said(value: object) -> str:
    """A part of a protocol in words; of a digest its beginning."""
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    return text[:15] if text.startswith("sha256:") else text or "none"


def wanted(held: Sequence[Mapping[str, Score]]) -> str:
    """The key of the protocol that all runs of a metric should be measured under: which most have, or the larger one.

    held: for each run, protocol's key -> one of its scores.
    """
    keys = dict.fromkeys(key for of_run in held for key in of_run)

    def weight(key: str) -> tuple[int, int, str]:
        having = [of_run[key] for of_run in held if key in of_run]
        return len(having), having[0].protocol.n_fake, max(score.date for score in having)

    return max(keys, key=weight)


def commands(directory: Path, lacking: Sequence[Score]) -> Iterator[str]:
    """`ganzoo evaluate` of a run under the protocols of other runs' scores: metrics of the same n go together."""
    together: dict[tuple[str, ...], list[Score]] = {}
    for score in lacking:
        together.setdefault(asked(score), []).append(score)
    for words, scores in together.items():
        metrics = dict.fromkeys(score.protocol.metric for score in scores)
        settings = dict.fromkeys(setting for score in scores for setting in options(score.protocol))
        line = ["ganzoo", "evaluate", str(directory)]
        line += [word for metric in metrics for word in ("--metric", metric)]
        yield shlex.join([*line, *words, *(word for setting in settings for word in ("--set", setting))])


def asked(score: Score) -> tuple[str, ...]:
    """The options of `ganzoo evaluate` that a score was made with, apart from the metric's."""
    protocol = score.protocol
    words = ["-n", str(protocol.n_fake)]
    if protocol.split != "test":
        words += ["--split", protocol.split]
    if protocol.extractor:
        words += ["--extractor", protocol.extractor.partition(" (")[0]]
    if score.seed:
        words += ["--seed", str(score.seed)]
    draws = len(score.draws) if len(score.draws) > 1 else DRAWS  # one draw has no interval
    return (*words, "--draws", str(draws)) if draws != DRAWS else tuple(words)


def options(protocol: Protocol) -> list[str]:
    """The metric's options that are not its defaults, as --set takes them."""
    return [
        f"{protocol.metric}.{name}={shown(value)}"
        for name, value in protocol.options.items()
        if name in (known := defaults(protocol.metric)) and known[name] != value
    ]


def defaults(metric: str) -> Mapping[str, Any]:
    """A metric's options as they are unless told; none where it is not on the shelf any more."""
    from ganzoo.metrics.judge import choice_of

    try:
        return choice_of("metric", metric).options
    except GanzooError:
        return {}
