"""`ganzoo.diagnose`: finds problems in a run's training from its rows, checkpoints and samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.evaluation.doctor.advice import Advice
from ganzoo.evaluation.doctor.averages import lagging_ema
from ganzoo.evaluation.doctor.collapse import mode_collapse
from ganzoo.evaluation.doctor.data import fallback_data
from ganzoo.evaluation.doctor.divergence import non_finite_value
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.labels import class_collapse, ignored_label
from ganzoo.evaluation.doctor.memorisation import memorisation
from ganzoo.evaluation.doctor.rows import row_findings, training_history
from ganzoo.evaluation.doctor.samples import SampleSets, SamplesUnavailable, collect_samples
from ganzoo.evaluation.doctor.unchanged_weights import unchanged_weights
from ganzoo.runs.run import Run, load

UNTRAINED = ("divergence", "frozen-player", "standstill", "discriminator-too-weak")
"""With one of these findings the generator has learned little or nothing; findings about samples are left out."""


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
    not_examined: list[str] = []
    checked: list[str] = []
    if log.damage:
        not_examined.append(f"rows: {log.damage}")
    if broken := non_finite_value(history, made.facts["reason"]):
        found.append(broken)
    if history.recent:
        checked.append(f"rows: {len(history.rows)}, the last {len(history.recent)} of them closely")
        found += [] if broken else row_findings(history)
        if not history.values("grad/generator") and "generator" in history.players:
            not_examined.append("gradients: this run was made before their norms were logged.")
    else:
        not_examined.append(f"the course of training: {len(history.rows)} rows are too few; lower train.log_every.")
    found += fallback_data(made)
    try:
        made = made.pinned()  # it may be training meanwhile
        found += unchanged_weights(history, made)
        checked.append("weights: the oldest and the newest checkpoint that are kept")
        if not samples:
            raise SamplesUnavailable("that was not asked for.")
        sampled = collect_samples(made, data_root=data_root, report_progress=report_progress)
        checked.append(f"samples: {len(sampled.fake):,} of step {sampled.step:,}, in {sampled.extractor}")
        found += sample_findings(history, made, sampled, untrained=any(one.name in UNTRAINED for one in found))
    except GanzooError as error:
        not_examined.append(f"samples: {error.what}")
    advice = Advice(made)
    found = [advice.given(finding) for finding in found]
    order = ("failure", "warning", "note")
    found.sort(key=lambda finding: order.index(finding.severity))
    return Diagnosis(tuple(found), tuple(not_examined), tuple(checked))


def sample_findings(history: TrainingHistory, run: Run, sampled: SampleSets, *, untrained: bool) -> list[Finding]:
    """Findings about samples. untrained: whether other findings show that the generator has learned nothing."""
    if untrained:
        return []
    behind = lagging_ema(history, run, sampled)
    if behind and sampled.raw:  # the averages lag behind, so the raw weights are judged
        sampled = replace(sampled, fake=sampled.raw)
    found = (
        mode_collapse(history, sampled),
        ignored_label(history, sampled),
        class_collapse(history, sampled),
        memorisation(history, sampled),
        behind,
    )
    return [finding for finding in found if finding]
