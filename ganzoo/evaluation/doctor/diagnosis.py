"""`ganzoo.diagnose`: finds problems in a run's training from its rows, checkpoints and samples."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.evaluation.doctor.advice import Advice
from ganzoo.evaluation.doctor.averages import lagging_ema
from ganzoo.evaluation.doctor.balance import too_weak
from ganzoo.evaluation.doctor.collapse import mode_collapse
from ganzoo.evaluation.doctor.data import fallback_data
from ganzoo.evaluation.doctor.difference import difference
from ganzoo.evaluation.doctor.divergence import lowered_learning_rates, non_finite_value
from ganzoo.evaluation.doctor.finding import Finding, NotExamined, Outcome
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.labels import class_collapse, ignored_label
from ganzoo.evaluation.doctor.memorisation import memorisation
from ganzoo.evaluation.doctor.rows import row_outcomes, training_history
from ganzoo.evaluation.doctor.samples import FEWEST, SampleSets, SamplesUnavailable, collect_samples
from ganzoo.evaluation.doctor.scores import low_scores, scores_of
from ganzoo.evaluation.doctor.unchanged_weights import unchanged_weights
from ganzoo.metrics.judge import UnusableSamples
from ganzoo.runs.run import Run, load

UNTRAINED = ("divergence", "frozen-player", "standstill")
"""With one of these findings the generator has learned little or nothing, as with a discriminator that is too weak."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """findings: the most severe first; not_examined: what could not be examined, with reasons; checked: what was."""

    findings: tuple[Finding, ...]
    not_examined: tuple[str, ...]
    checked: tuple[str, ...]


def diagnose(
    run: Run | str | Path,
    *,
    samples: bool = True,
    data_root: str | Path | None = None,
    report_progress: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """The problems of a run's training, the most severe first; an empty list if there are none.

    Examines the rows of metrics.jsonl, the kept checkpoints, run.json, and, if `samples` is true, a thousand samples of
    the last checkpoint against real ones. Nothing is written. data_root: the folder of all data sets, if it is not the
    one of the training. report_progress: called with a message before slow operations. What could not be examined is
    left out; `examine` lists it.

    Raises: RunError if `run` is not a run.
    """
    return list(examine(run, samples=samples, data_root=data_root, report_progress=report_progress).findings)


def examine(
    run: Run | str | Path,
    *,
    samples: bool = True,
    data_root: str | Path | None = None,
    report_progress: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """As `diagnose`, and lists what was examined and what could not be."""
    made = run if isinstance(run, Run) else load(run)
    log = made.log
    history = training_history(made, log.rows)
    found: list[Finding] = []
    missed: list[NotExamined] = []
    checked: list[str] = []
    if log.damage:
        missed.append(NotExamined("rows", str(log.damage).rstrip(".")))
    if broken := non_finite_value(history, made.facts["reason"]):
        found.append(broken)
    if history.recent:
        checked.append(f"rows: {len(history.rows)}, the last {len(history.recent)} of them closely")
        findings, not_seen = row_outcomes(history)
        found += [] if broken else findings
        missed += [] if broken else not_seen
    else:
        few = f"{len(history.rows)} rows are too few; lower train.log_every"
        missed.append(NotExamined("the course of training", few))
    found += fallback_data(made)
    made = made.pinned()  # it may be training meanwhile
    try:
        found += unchanged_weights(history, made)
        checked.append("weights: the oldest and the newest checkpoint that are kept")
    except GanzooError as error:
        missed.append(NotExamined("weights", error.what.rstrip(".")))
    sampled: SampleSets | None = None
    try:
        if not samples:
            raise SamplesUnavailable("that was not asked for.")
        sampled = collect_samples(made, data_root=data_root, report_progress=report_progress)
        against = "" if sampled.split == "test" else ", against real ones of the training split"
        checked.append(f"samples: {len(sampled.fake):,} of step {sampled.step:,}, in {sampled.extractor}{against}")
    except UnusableSamples as error:
        found += [] if any(one.severity == "failure" for one in found) else [unusable_samples(history, made, error)]
    except GanzooError as error:
        missed.append(NotExamined("samples", error.what.rstrip(".")))
    outcomes = sample_outcomes(history, made, sampled, {finding.name for finding in found})
    found += [outcome for outcome in outcomes if isinstance(outcome, Finding)]
    missed += [outcome for outcome in outcomes if isinstance(outcome, NotExamined)]
    advice = Advice(made)
    found = [advice.given(finding) for finding in found]
    order = ("failure", "warning", "note")
    found.sort(key=lambda finding: order.index(finding.severity))
    return Diagnosis(tuple(found), tuple(dict.fromkeys(map(str, missed))), tuple(checked))


def sample_outcomes(
    history: TrainingHistory, run: Run, sampled: SampleSets | None, found: Collection[str]
) -> list[Outcome]:
    """What samples show. sampled: None where there are none; found: the names of the findings so far.

    Where the generator has learned nothing, findings about its samples are left out.
    """
    if sampled is None:
        return [too_weak(history, None)]
    if reason := incomparable(sampled):
        return [NotExamined("samples", reason), too_weak(history, None)]
    scores, missed = scores_of(sampled)
    weak = too_weak(history, difference(sampled, scores))
    if isinstance(weak, Finding) or set(UNTRAINED) & set(found):
        return [weak, *sampled.missed, *missed]
    behind = lagging_ema(history, run, sampled)
    if isinstance(behind, Finding) and sampled.raw:  # the averages lag behind, so the raw weights are judged
        sampled = replace(sampled, fake=sampled.raw)
        scores, missed = scores_of(sampled)
    return [
        weak,
        behind,
        mode_collapse(history, sampled),
        ignored_label(history, sampled),
        class_collapse(history, sampled),
        memorisation(history, sampled),
        *low_scores(history, sampled, scores),
        *sampled.missed,
        *missed,
    ]


def incomparable(sampled: SampleSets) -> str:
    """Why nothing can be said of the samples, without a full stop; empty where they can be compared."""
    for side, name in ((sampled.fake, "generated"), (sampled.real, "real")):
        if len(side) < FEWEST:
            return f"there are {len(side)} {name} samples, and {FEWEST} at least are needed"
        if not bool(side.features.isfinite().all()):
            return f"{sampled.extractor} sees numbers in {name} samples that are not finite"
    return ""


def unusable_samples(history: TrainingHistory, run: Run, error: UnusableSamples) -> Finding:
    """The generator's samples cannot be compared with anything."""
    return Finding(
        name="unusable-samples",
        severity="failure",
        seen=f"at step {run.checkpoint_step:,}: {error.what}",
        figures={},
        means="What the generator makes are no samples of such data.",
        change=lowered_learning_rates(history),
        paper="",
        steps=(run.checkpoint_step, run.checkpoint_step),
    )
