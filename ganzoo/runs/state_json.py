"""The schema of a checkpoint's state.json. Keys beside these, which a newer ganzoo may have written, are kept."""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from ganzoo.runs.run_json import Count, Seconds

KEEP_OTHERS = ConfigDict(strict=True, extra="allow")

FILE = re.compile(r"[^./\\:\x00][^/\\:\x00]*\.safetensors")
"""A file of the checkpoint's own folder: no path, no hidden file."""

RESUMABLE = ("step", "drawn", "seconds", "random", "means", "row_before", "optimizers", "averaged", "stop", "recipe")
"""What a state must say for a run to go on from it."""


def _file(name: str) -> str:
    if not FILE.fullmatch(name):
        raise ValueError("should be the name of a .safetensors file in the checkpoint's own folder")
    return name


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("should be a random stream's state in base64") from error
    return text


Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Number = Integer | float
Scalar = str | bool | Integer | float | None
Streams = dict[str, Annotated[str, AfterValidator(_base64)]]
Sums = dict[str, Annotated[list[Number], Field(min_length=2, max_length=2)]]


@with_config(KEEP_OTHERS)
class OptimizerState(TypedDict):
    """What of an optimizer's state is no tensor."""

    state: dict[str, Scalar]
    groups: list[dict[str, Any]]


@with_config(KEEP_OTHERS)
class RankState(TypedDict):
    """What each rank has of its own: random streams, and sums and counts of logged values."""

    random: Streams
    means: Sums


@with_config(KEEP_OTHERS)
class StopState(TypedDict):
    """Where [train.stop] is."""

    best: Number | None
    rows_since: Count


@with_config(KEEP_OTHERS)
class EvaluationState(TypedDict):
    """The best score so far, and its step."""

    best: Number | None
    step: Count | None


@with_config(KEEP_OTHERS)
class CheckpointState(TypedDict):
    """The contents of state.json, without its own digest."""

    format: Count
    run: NotRequired[str | None]
    digests: dict[Annotated[str, AfterValidator(_file)], Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    step: NotRequired[Count]
    drawn: NotRequired[Count]
    seconds: NotRequired[Seconds]
    device: NotRequired[str]
    random: NotRequired[Streams]
    means: NotRequired[Sums]
    other_ranks: NotRequired[list[RankState]]
    row_before: NotRequired[Annotated[list[Number], Field(min_length=2, max_length=2)]]
    batches_per_epoch: NotRequired[Annotated[float, Field(ge=0)]]
    counted_from: NotRequired[Annotated[list[Count], Field(min_length=2, max_length=2)]]
    rollbacks: NotRequired[Count]
    gradient_norms: NotRequired[dict[str, Number]]
    averaged: NotRequired[dict[str, Count]]
    optimizers: NotRequired[dict[str, OptimizerState]]
    stop: NotRequired[StopState]
    evaluation: NotRequired[EvaluationState | None]
    runner: NotRequired[list[str]]
    recipe: NotRequired[dict[str, Any]]


@cache
def state_schema() -> TypeAdapter[CheckpointState]:
    """The schema, built when it is first needed."""
    return TypeAdapter(CheckpointState)
