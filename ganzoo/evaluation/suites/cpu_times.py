"""The CPU times of a suite's runs: step -> seconds of the processor up to it, in a JSON file for each run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from ganzoo.errors import RunError
from ganzoo.recipe.plain_file import MIB, read_plain_file

MAX_BYTES = 16 * MIB
"""The largest file; 20 bytes a row, and a row every 50 steps, are 40 million steps."""

CPU_TIMES: TypeAdapter[dict[int, float]] = TypeAdapter(
    dict[Annotated[int, Ge(0)], Annotated[float, Ge(0)]], config={"allow_inf_nan": False}
)


def read_cpu_times(path: Path) -> dict[int, float]:
    """The CPU times of a run; empty where there are none. Raises: RunError, naming a file that is damaged."""
    try:
        return CPU_TIMES.validate_json(read_plain_file(path, limit=MAX_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        reason = getattr(error, "strerror", None) or "it is no table of steps and seconds"
        raise RunError(
            f"{path}: this run's CPU times cannot be read: {reason}.",
            remedy="Delete the file: the suite goes on, and its table has no CPU time of that run.",
        ) from error
