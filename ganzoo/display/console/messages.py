"""What the console says of a run, as pairs of a label and a text. No colour and no terminal here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganzoo.runs.run import Run
    from ganzoo.runs.score import Protocol, Score

Pair = tuple[str, str]

SHOWN_AS = {"d_real": "D(x)", "d_fake": "D(G(z))"}
"""Logged names that people know under another one."""

MEANS = {"d_real": "real", "d_fake": "generated"}
"""What the discriminator gives that probability of being real, in a word."""

BOOKKEEPING = ("step", "epoch", "seconds", "samples_per_second")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
"""Characters that would do something to a terminal; a recipe from elsewhere may hold them."""


def clean(text: str, encoding: str = "utf-8") -> str:
    """`text` on one line, with nothing in it but what the terminal or file can show."""
    return CONTROL.sub(" ", text).strip().encode(encoding, "replace").decode(encoding)


def header(run: Run, *, going_on: bool = True) -> Iterator[Pair]:
    """What is about to be trained, on what, and where it goes. going_on: say so where it has begun already."""
    facts = run.facts
    data, device, train = facts["dataset"], facts["device"], run.recipe.train
    info = run.info
    shapes = {key: info.fields[key].shape for key in info.domains} or {"": info.sample_shape}
    shape = " and ".join(f"{' x '.join(map(str, sides))}{key and f' ({key})'}" for key, sides in shapes.items())
    threads = f", {device['threads']} thread{'s' * (device['threads'] > 1)}" if device["type"] == "cpu" else ""
    ranks = f", on each of {facts['ranks']} ranks" if facts.get("ranks", 1) > 1 else ""
    epochs = f", {train.epochs:,} epochs" if train.epochs else ""
    begun = f", going on from step {run.step:,}" if run.step and going_on else ""
    yield "recipe", f"{facts['recipe']}: {facts['description']}" if facts["description"] else facts["recipe"]
    yield "data", f"{data['name']}: {data['size']:,} {things(run)} of {shape} ({data['origin']})"
    for note in data["notes"]:
        yield "", note
    if where := lives(run):
        yield "", where
    yield "parameters", ", ".join(f"{player} {number:,}" for player, number in facts["parameters"].items())
    yield "device", f"{device['type']} ({device['name']}){threads}, {facts['precision']}{ranks}"
    if "runner" in facts:
        yield "runner", f"{facts['runner']} ({facts['runner_reason']})"
    yield "budget", f"{run.total_steps:,} steps{epochs}, batches of {train.batch_size:,}, seed {train.seed}{begun}"
    yield "run", str(run.directory)


def lives(run: Run) -> str:
    """Where the data live, and why there; nothing of runs that are older than the question."""
    data = run.facts.get("data")
    if not data:
        return ""
    workers = data.get("workers")
    each = " of each rank" if run.facts.get("ranks", 1) > 1 else ""
    by = "" if workers is None else f" by {workers} worker{'s' * (workers != 1)}{each}"
    return f"{'streamed' if data['on'] == 'stream' else 'held on the device'}{by}: {data['why']}"


def fallback(run: Run) -> list[str]:
    """Lines that say loudly that these are not the data that the recipe names; none where they are."""
    data = run.facts["dataset"]
    if not data["fallback"]:
        return []
    wanted, reason = data["fallback"]["instead_of"], data["fallback"]["reason"]
    return [
        f'NOT {wanted.upper()}: this run trains on the fallback data set "{data["name"]}".',
        *reason.splitlines(),
        f"To train on {wanted}, put its files where GANZOO_DATA or --data-root points; --no-fallback insists on them.",
    ]


def row(run: Run, values: Mapping[str, float], left: str) -> str:
    """One row of metrics.jsonl in words. left: the time to the end."""
    width = len(f"{run.total_steps:,}")
    step, speed = int(values["step"]), values["samples_per_second"]
    named = (f"{SHOWN_AS.get(name, name)} {number(value)}" for name, value in told(values).items())
    parts = [f"step {step:>{width},}/{run.total_steps:,}", f"epoch {values['epoch']:.2f}", *named]
    parts.append(f"{speed:,.0f} {things(run)}/s")
    return "  ".join(parts if step >= run.total_steps else [*parts, f"left {left}"])


def ending(run: Run, values: Mapping[str, float], grid: Path | None) -> Iterator[Pair]:
    """How it ended, where things are, and what to do next. values: the last row; grid: the newest one."""
    reason = run.facts["reason"].split("\n")[0]
    yield run.status, f"at step {run.step:,} of {run.total_steps:,}" + (f": {reason}" if reason else "")
    seconds = run.facts["seconds"]
    speed = [f"{run.step / seconds:,.1f} steps/s"] if seconds and run.step else []
    if values.get("seconds"):
        seen = values["epoch"] * run.facts["dataset"]["size"]
        speed.append(f"{seen / values['seconds']:,.0f} {things(run)}/s")
    yield "time", ", ".join([f"{duration(seconds)} of training", *speed])
    if grid:
        yield "grid", str(grid)
    yield "checkpoint", str(run.checkpoint)
    place = shlex.quote(str(run.directory))
    directions = run.facts.get("directions")
    given = f" --input FILE_OR_FOLDER --direction {directions[0]}" if directions else ""
    go_on, sample = f"ganzoo resume {place}", f"ganzoo sample {place}{given} -o {'OUT' if given else 'grid.png'}"
    match run.status:
        case "interrupted":
            yield "next", f"{go_on}  (goes on from {run.checkpoint.name} as if nothing had happened)"
            yield "", sample
        case "finished":
            yield "next", sample
            yield "", f"{go_on} --steps {2 * run.total_steps}  (trains further)"
        case "stopped":
            yield "next", sample
        case _:
            yield "run", str(run.directory)


def logged(values: Mapping[str, float]) -> dict[str, float]:
    """What the game logs, losses first."""
    shown = [name for name in values if name not in BOOKKEEPING]
    return {name: values[name] for name in sorted(shown, key=lambda name: not name.startswith("loss/"))}


def told(values: Mapping[str, float]) -> dict[str, float]:
    """What of that is told while a run goes on: all but the norms of gradients, which are for curves and doctors."""
    return {name: value for name, value in logged(values).items() if not name.startswith("grad/")}


def within(score: Score) -> str:
    """A score's interval, "12.1 to 12.5"; nothing where it has none."""
    return "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"


def real_data(score: Score) -> str:
    """What real data get; nothing where that is unknown."""
    return "" if score.floor is None else f"{score.floor:.4g}"


def whose(score: Score) -> str:
    """Which samples were scored: "step 4,690, averaged weights, seed 0, 3 draws"."""
    weights = "averaged weights" if score.ema else "the weights themselves"
    draws = len(score.draws)
    return f"step {score.step:,}, {weights}, seed {score.seed}, {draws} draw{'s' * (draws > 1)}"


def letters(scores: Iterable[Score]) -> dict[str, tuple[str, Protocol]]:
    """A letter for each protocol among the scores, by its key, with the protocol, for tables that say each once."""
    protocols = {score.protocol.key: score.protocol for score in scores}
    return {key: (letter(number), protocol) for number, (key, protocol) in enumerate(protocols.items())}


def letter(number: int) -> str:
    """a, b, c, ..., z, a2, b2, ..."""
    return chr(ord("a") + number % 26) + (str(number // 26 + 1) if number >= 26 else "")


def number(value: float) -> str:
    """Three digits after the point, or an exponent where they would say nothing."""
    return f"{value:.3f}" if value == 0 or 0.001 <= abs(value) < 10_000 else f"{value:.2e}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: "1:02:03"."""
    return str(timedelta(seconds=round(seconds)))


def things(run: Run) -> str:
    """What the samples are, in the plural: "images" or "points"."""
    return str(run.facts["dataset"]["plural"])
