"""Texts about a run, as pairs of a label and a text, without colours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.runs.run import Run
    from ganzoo.runs.score import Protocol, Score

Pair = tuple[str, str]

DISPLAY_NAMES = {"d_real": "D(x)", "d_fake": "D(G(z))"}
"""Display names of logged values."""

PROBABILITY_SUBJECTS = {"d_real": "real", "d_fake": "generated"}
"""The samples that the discriminator's probabilities are about."""

BOOKKEEPING = ("step", "epoch", "seconds", "samples_per_second")


def one_line(text: str) -> str:
    """`text` on one line. Control characters are cleaned where it is printed (`display.printing`)."""
    return " ".join(re.split(r"[\r\n\t\v\f]+", text)).strip()


def run_header(run: Run, *, going_on: bool = True) -> Iterator[Pair]:
    """Recipe, data, device, budget and directory of a run. going_on: mention the step that it is resumed from."""
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
    yield "data", f"{data['name']}: {data['size']:,} {sample_kind(run)} of {shape} ({data['origin']})"
    for note in data["notes"]:
        yield "", note
    if where := data_placement(run):
        yield "", where
    yield "parameters", ", ".join(f"{player} {number:,}" for player, number in facts["parameters"].items())
    if not (going_on and run.step):
        yield from start_lines(facts.get("start", {}))
    yield "device", f"{device['type']} ({device['name']}){threads}, {facts['precision']}{ranks}"
    if "runner" in facts:
        yield "runner", f"{facts['runner']} ({facts['runner_reason']})"
    yield "budget", f"{run.total_steps:,} steps{epochs}, batches of {train.batch_size:,}, seed {train.seed}{begun}"
    yield from branch_lines(facts)
    yield "run", str(run.directory)


def branch_lines(facts: Mapping[str, Any]) -> Iterator[Pair]:
    """Where a run's settings, data or course were changed on its way, a line each. facts: its run.json."""
    from ganzoo.runs.branches import branches_of

    for branch in branches_of(facts):
        yield "branch", str(branch)


def start_lines(start: Mapping[str, Any]) -> Iterator[Pair]:
    """What a run began with by its [start] table, and what of it is frozen. start: as run.json has it."""
    label = "start"
    if "from" in start:
        step = "" if start["step"] is None else f" at step {start['step']:,}"
        yield label, f"{start['from']}{step} ({start['path']})"
        label = ""
    for player, loaded in start.get("players", {}).items():
        total = loaded["loaded"] + len(loaded["other_shape"]) + len(loaded["not_given"])
        averaged = ", averaged weights" if loaded["averaged"] else ""
        yield label, f"{player}: {loaded['loaded']} of {total} tensors from {loaded['file']}{averaged}"
        shapes = (
            f"{name} ({format_shape(theirs)} there, {format_shape(ours)} here)"
            for name, (theirs, ours) in loaded["other_shape"].items()
        )
        for what, names in (
            ("fresh, of another shape", list(shapes)),
            ("fresh, not in the file", loaded["not_given"]),
            ("left out, not in the network", loaded["left_out"]),
        ):
            if names:
                yield "", f"{player}: {what}: {first_of(names)}"
    if start.get("left_out"):
        yield label, f"left out, the game has no such player: {first_of(start['left_out'])}"
    if frozen := start.get("frozen"):
        yield label, f"frozen: {first_of([f'{path} ({number:,} parameters)' for path, number in frozen.items()])}"


def first_of(names: Sequence[str], most: int = 12) -> str:
    """Names with commas; of many the first `most`."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def format_shape(shape: Sequence[int]) -> str:
    """A shape as people write it: "64 x 3 x 4 x 4"."""
    return " x ".join(map(str, shape)) or "a number"


def data_placement(run: Run) -> str:
    """Where the data are held, and why; "" for older runs that do not record it."""
    data = run.facts.get("data")
    if not data:
        return ""
    workers = data.get("workers")
    each = " of each rank" if run.facts.get("ranks", 1) > 1 else ""
    by = "" if workers is None else f" by {workers} worker{'s' * (workers != 1)}{each}"
    return f"{'streamed' if data['on'] == 'stream' else 'held on the device'}{by}: {data['why']}"


def fallback_warning(run: Run) -> list[str]:
    """A warning about fallback data; empty if the run uses the recipe's data set."""
    data = run.facts["dataset"]
    if not data["fallback"]:
        return []
    wanted, reason = data["fallback"]["instead_of"], data["fallback"]["reason"]
    return [
        f'NOT {wanted.upper()}: this run trains on the fallback data set "{data["name"]}".',
        *reason.splitlines(),
        f"To train on {wanted}, put its files where GANZOO_DATA or --data-root points; --no-fallback insists on them.",
    ]


def format_row(run: Run, values: Mapping[str, float], time_left: str) -> str:
    """One row of metrics.jsonl as text. time_left: the remaining time."""
    width = len(f"{run.total_steps:,}")
    step, speed = int(values["step"]), values["samples_per_second"]
    named = (
        f"{DISPLAY_NAMES.get(name, name)} {format_number(value)}" for name, value in progress_metrics(values).items()
    )
    parts = [f"step {step:>{width},}/{run.total_steps:,}", f"epoch {values['epoch']:.2f}", *named]
    parts.append(f"{speed:,.0f} {sample_kind(run)}/s")
    return "  ".join(parts if step >= run.total_steps else [*parts, f"left {time_left}"])


def run_summary(run: Run, values: Mapping[str, float], grid: Path | None) -> Iterator[Pair]:
    """The end of a run: status, time, files and next commands. values: the last row; grid: the newest one."""
    reason = run.facts["reason"].split("\n")[0]
    yield run.status, f"at step {run.step:,} of {run.total_steps:,}" + (f": {reason}" if reason else "")
    seconds = run.facts["seconds"]
    speed = [f"{run.step / seconds:,.1f} steps/s"] if seconds and run.step else []
    if values.get("seconds"):
        seen = values["epoch"] * run.facts["dataset"]["size"]
        speed.append(f"{seen / values['seconds']:,.0f} {sample_kind(run)}/s")
    yield "time", ", ".join([f"{format_duration(seconds)} of training", *speed])
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


def logged_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """The values that the game logs, losses first."""
    shown = [name for name in values if name not in BOOKKEEPING]
    return {name: values[name] for name in sorted(shown, key=lambda name: not name.startswith("loss/"))}


def progress_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """The logged values that are displayed during a run: all but gradient norms."""
    return {name: value for name, value in logged_metrics(values).items() if not name.startswith("grad/")}


def format_interval(score: Score) -> str:
    """A score's interval, "12.1 to 12.5"; "" if it has none."""
    return "" if score.low is None or score.high is None else f"{score.low:.4g} to {score.high:.4g}"


def format_real_data_score(score: Score) -> str:
    """The score of real data; "" if unknown."""
    return "" if score.floor is None else f"{score.floor:.4g}"


def describe_samples(score: Score) -> str:
    """The samples of a score: "step 4,690, averaged weights, seed 0, 3 draws"."""
    weights = "averaged weights" if score.ema else "the weights themselves"
    draws = len(score.draws)
    return f"step {score.step:,}, {weights}, seed {score.seed}, {draws} draw{'s' * (draws > 1)}"


def protocol_letters(scores: Iterable[Score]) -> dict[str, tuple[str, Protocol]]:
    """Key of a protocol -> (a letter, the protocol), for tables with a legend."""
    protocols = {score.protocol.key: score.protocol for score in scores}
    return {key: (letter(number), protocol) for number, (key, protocol) in enumerate(protocols.items())}


def letter(number: int) -> str:
    """a, b, c, ..., z, a2, b2, ..."""
    return chr(ord("a") + number % 26) + (str(number // 26 + 1) if number >= 26 else "")


def format_number(value: float) -> str:
    """A number with three decimals, or in scientific notation if very small or large."""
    return f"{value:.3f}" if value == 0 or 0.001 <= abs(value) < 10_000 else f"{value:.2e}"


def format_duration(seconds: float) -> str:
    """Hours, minutes and seconds: "1:02:03"."""
    return str(timedelta(seconds=round(seconds)))


def sample_kind(run: Run) -> str:
    """What the samples are, in the plural: "images" or "points"."""
    return str(run.facts["dataset"]["plural"])
