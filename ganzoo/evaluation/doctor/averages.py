"""EMA lag: are the averaged weights much worse than the trained ones?"""

from __future__ import annotations

from ganzoo.evaluation.doctor.distances import energy, spread
from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.samples import SampleSets
from ganzoo.runs.checkpoint import read_state
from ganzoo.runs.run import Run

MAX_DISTANCE_RATIO = 1.4
"""The averaged generator's samples are so many times as far from real ones as those of the weights themselves. Healthy
runs measured 0.78 to 1.08."""

MIN_DISTANCE_GAP = 0.05
"""And by this much, in energy distance: two sets of 1,000 real samples differ by 0.005 or less."""


def lagging_ema(history: TrainingHistory, run: Run, sampled: SampleSets) -> Outcome:
    """Checks whether samples of the averaged weights are much farther from real ones than those of the raw ones."""
    ema = history.recipe.ema
    if ema is None or sampled.raw is None:
        return None
    averaged_players = [player for player in ema.players if is_generator(history, player)]
    if not averaged_players:
        return NotExamined("averages", f"the game says of none of {', '.join(ema.players)} that it is a generator")
    real = sampled.real.features
    if spread(real) == 0:
        return NotExamined("averages", f"real samples are all alike in {sampled.extractor}")
    averaged, raw = energy(sampled.fake.features, real), energy(sampled.raw.features, real)
    updates = int(read_state(run.checkpoint)["averaged"][averaged_players[0]])
    if updates and (averaged < MAX_DISTANCE_RATIO * raw or averaged - raw < MIN_DISTANCE_GAP):
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


def is_generator(history: TrainingHistory, player: str) -> bool:
    """Whether the game says so of the player."""
    return player in history.roles and history.roles[player].role == "generator"
