"""The schema of run.json. Keys beside these, which a newer ganzoo may have written, are kept as they are."""

from __future__ import annotations

import math
from functools import cache
from typing import Annotated, Any, Literal, NotRequired

import torch
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

FORMAT = 1
"""Rises whenever older code could not read what newer code writes."""

MAX_NUMBERS = 2**40
"""The most numbers in one sample."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
BeforeAndAfter = Annotated[list[Any], Field(min_length=2, max_length=2)]
KEEP_OTHERS = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def _dtype(name: str) -> str:
    if not isinstance(getattr(torch, name, None), torch.dtype):
        raise ValueError("should be the name of a dtype of torch")
    return name


def _shape(shape: list[int]) -> list[int]:
    if math.prod(shape) > MAX_NUMBERS:
        raise ValueError("should be the shape of a sample")
    return shape


@with_config(KEEP_OTHERS)
class FieldFacts(TypedDict):
    """A key of a batch (`ganzoo.Field`)."""

    shape: Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(max_length=16), AfterValidator(_shape)]
    dtype: Annotated[str, AfterValidator(_dtype)]
    role: Literal["sample", "condition", "mask", "domain"]
    classes: list[str]
    kind: str


def _fields(fields: dict[str, FieldFacts]) -> dict[str, FieldFacts]:
    if not any(field["role"] in ("sample", "domain") for field in fields.values()):
        raise ValueError("should have a field that is a sample or a domain")
    return fields


@with_config(KEEP_OTHERS)
class FallbackFacts(TypedDict):
    """Why other data were taken than the recipe's."""

    instead_of: str
    reason: str


@with_config(KEEP_OTHERS)
class DatasetFacts(TypedDict):
    """What is known of the data (`ganzoo.DatasetInfo`), and where they came from."""

    name: str
    checksum: str
    origin: str
    root: str
    listing: NotRequired[str]
    fields: Annotated[dict[str, FieldFacts], AfterValidator(_fields)]
    size: Count
    kind: str
    details: dict[str, Any]
    licence: str
    source: str
    notes: list[str]
    paired: bool
    extractor: str
    plural: str
    layout: NotRequired[dict[str, Any]]
    fallback: FallbackFacts | Literal[""] | None


@with_config(KEEP_OTHERS)
class DeviceFacts(TypedDict):
    """What the run was trained on."""

    type: str
    name: str
    threads: Count


@with_config(KEEP_OTHERS)
class PlacementFacts(TypedDict):
    """Where the data were while the run trained."""

    on: str
    why: str
    workers: NotRequired[Count]


@with_config(KEEP_OTHERS)
class ResumedFacts(TypedDict):
    """One resume."""

    step: Count
    at: str
    device: NotRequired[DeviceFacts]
    runner: NotRequired[str]
    runner_reason: NotRequired[str]
    data: NotRequired[PlacementFacts]
    changed: NotRequired[dict[str, BeforeAndAfter]]


@with_config(KEEP_OTHERS)
class BranchFacts(TypedDict):
    """One branch (`ganzoo.runs.branches.Branch`), without what there is nothing to say of."""

    step: Count
    at: NotRequired[str]
    changed: NotRequired[dict[str, BeforeAndAfter]]
    data: NotRequired[dict[str, BeforeAndAfter]]
    left: NotRequired[Count | None]
    kept: NotRequired[str]
    reason: NotRequired[str]
    rollbacks: NotRequired[Count]


@with_config(KEEP_OTHERS)
class LoadedFacts(TypedDict):
    """What of one player's weights [start] took from elsewhere."""

    file: str
    averaged: bool
    digest: str
    loaded: Count
    other_shape: dict[str, Annotated[list[list[Count]], Field(min_length=2, max_length=2)]]
    not_given: list[str]
    left_out: list[str]


_StartFacts = TypedDict(
    "_StartFacts",
    {
        "from": NotRequired[str],
        "path": NotRequired[str],
        "step": NotRequired[Count | None],
        "players": NotRequired[dict[str, LoadedFacts]],
        "left_out": NotRequired[list[str]],
        "frozen": NotRequired[dict[str, Count]],
    },
)


@with_config(KEEP_OTHERS)
class StartFacts(_StartFacts):
    """What [start] did."""


@with_config(KEEP_OTHERS)
class SeedFacts(TypedDict):
    """The random seeds of a run."""

    train: int


@with_config(KEEP_OTHERS)
class RunFacts(TypedDict):
    """The contents of run.json."""

    format: NotRequired[Count]
    status: str
    reason: str
    recipe: str
    description: str
    step: Count
    total_steps: Count
    seconds: Seconds
    started: str
    resumed: list[ResumedFacts]
    pid: NotRequired[int]
    device: DeviceFacts
    ranks: NotRequired[Annotated[int, Field(ge=1, le=2**31)]]
    runner: NotRequired[str]
    runner_reason: NotRequired[str]
    data: NotRequired[PlacementFacts]
    versions: dict[str, str]
    plugins: dict[str, str]
    components: NotRequired[dict[str, str]]
    id: NotRequired[str]
    recipe_digest: NotRequired[str]
    seeds: SeedFacts
    precision: str
    directions: NotRequired[list[str]]
    start: NotRequired[StartFacts]
    branches: NotRequired[list[BranchFacts]]
    parameters: dict[str, Count]
    dataset: DatasetFacts


@cache
def run_schema() -> TypeAdapter[RunFacts]:
    """The schema, built when it is first needed."""
    return TypeAdapter(RunFacts)
