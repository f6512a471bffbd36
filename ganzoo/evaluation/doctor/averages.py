"""Have the averaged weights caught up with those that are trained?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.distances import energy
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course
from ganzoo.evaluation.doctor.samples import Sampled
from ganzoo.runs.checkpoint import read_state
from ganzoo.runs.run import Run

BEHIND = 1.4
"""The averaged generator's samples are so many times as far from real ones as those of the weights themselves. Healthy
runs measured 0.78 to 1.08."""

FAR = 0.05
"""And by this much, in energy distance: two sets of 1,000 real samples differ by 0.005 or less."""


def lagging(course: Course, run: Run, sampled: Sampled) -> Finding | None:
    """The averages show an older, worse generator than the one that was trained."""
    ema = course.recipe.ema
    if ema is None or sampled.raw is None or "generator" not in ema.players:
        return None
    real = sampled.real.features
    averaged, raw = energy(sampled.fake.features, real), energy(sampled.raw.features, real)
    updates = int(read_state(run.checkpoint)["averaged"]["generator"])
    if updates and (averaged < BEHIND * raw or averaged - raw < FAR):
        return None
    how = f"{updates:,} updates (decay {ema.decay:g}, every {ema.every:,} steps)"
    return Finding(
        name="ema-lag",
        severity="warning",
        seen=f"at step {sampled.step:,}, after {how}, the averaged generator's samples are {averaged:.2f} from real "
        f"ones, and those of the weights themselves {raw:.2f}, in energy distance",
        figures={"averaged": averaged, "raw": raw, "updates": updates},
        means="Grids and samples show a generator of long ago: the average's memory is too long for this budget.",
        change=("ema.every = 1", f"ema.decay = {0.99 if ema.decay > 0.99 else 0.9:g}"),
        paper="arXiv:1806.04498",
        steps=(sampled.step, sampled.step),
    )
