"""`ganzoo.diagnose`: a run's training, judged from its own evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.evaluation.doctor.advice import Advice
from ganzoo.evaluation.doctor.averages import lagging
from ganzoo.evaluation.doctor.collapse import collapsed
from ganzoo.evaluation.doctor.data import on_other_data
from ganzoo.evaluation.doctor.divergence import not_a_number
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.history import Course
from ganzoo.evaluation.doctor.memorisation import memorised
from ganzoo.evaluation.doctor.rows import course_of, findings_in
from ganzoo.evaluation.doctor.samples import Sampled, Unseen, look_at
from ganzoo.evaluation.doctor.unchanged_weights import standing_still
from ganzoo.runs.run import Run, load

UNTAUGHT = ("divergence", "standstill", "discriminator-too-weak")
"""Where one of these is found, the generator has learned little or nothing: that its samples are all alike, or those of
its averages no better, is no finding of its own."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """findings: the gravest first; unseen: what could not be looked at, and why, in sentences; checked: what was."""

    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]
    checked: tuple[str, ...]


def diagnose(
    run: Run | str | Path,
    *,
    samples: bool = True,
    data_root: str | Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Finding]:
    """What is wrong with a run's training, the gravest first; an empty list where nothing is.

    It is judged from the run's own evidence: the rows of metrics.jsonl, the checkpoints that are kept, run.json, and
    (samples: whether to take the time) a thousand samples of the last checkpoint beside real ones. Nothing is written.
    data_root: the folder of all data sets, where it is not the one that the run was trained on; say: told in a few
    words what takes long. What could not be looked at is left out; `examine` says what that was.

    Raises: RunError where `run` is none.
    """
    return list(examine(run, samples=samples, data_root=data_root, say=say).findings)


def examine(
    run: Run | str | Path,
    *,
    samples: bool = True,
    data_root: str | Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """The same, with what was looked at and what could not be."""
    made = run if isinstance(run, Run) else load(run)
    course = course_of(made, made.metrics)
    found: list[Finding] = []
    unseen: list[str] = []
    checked: list[str] = []
    if broken := not_a_number(course, made.facts["reason"]):
        found.append(broken)
    if course.recent:
        checked.append(f"rows: {len(course.rows)}, the last {len(course.recent)} of them closely")
        found += [] if broken else findings_in(course)
        if not course.values("grad/generator") and "generator" in course.players:
            unseen.append("gradients: this run was made before their norms were logged.")
    else:
        unseen.append(f"the course of training: {len(course.rows)} rows are too few; lower train.log_every.")
    found += on_other_data(made)
    try:
        made = made.pinned()  # it may be training meanwhile
        found += standing_still(course, made)
        checked.append("weights: the oldest and the newest checkpoint that are kept")
        if not samples:
            raise Unseen("that was not asked for.")
        sampled = look_at(made, data_root=data_root, say=say)
        checked.append(f"samples: {len(sampled.fake):,} of step {sampled.step:,}, in {sampled.extractor}")
        found += of_samples(course, made, sampled, untaught=any(one.name in UNTAUGHT for one in found))
    except GanzooError as error:
        unseen.append(f"samples: {error.what}")
    advice = Advice(made)
    found = [advice.given(finding) for finding in found]
    order = ("failure", "warning", "note")
    found.sort(key=lambda finding: order.index(finding.severity))
    return Diagnosis(tuple(found), tuple(unseen), tuple(checked))


def of_samples(course: Course, run: Run, sampled: Sampled, *, untaught: bool) -> list[Finding]:
    """What samples show. untaught: whether it is known already that the generator has learned nothing."""
    if untaught:
        return []
    behind = lagging(course, run, sampled)
    if behind and sampled.raw:  # the averages are nobody's work: what was learned is in the weights themselves
        sampled = replace(sampled, fake=sampled.raw)
    return [finding for finding in (collapsed(course, sampled), memorised(course, sampled), behind) if finding]
