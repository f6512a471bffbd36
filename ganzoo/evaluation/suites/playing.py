"""Runs a suite: skips finished runs, resumes partial ones, starts missing ones, and writes the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ganzoo.datasets.atomic import replace_file
from ganzoo.datasets.obtain import Obtained, obtain
from ganzoo.datasets.root import data_root as find_data_root
from ganzoo.errors import GanzooError, MetricError, RunError
from ganzoo.evaluation.suites.progress import progress
from ganzoo.evaluation.suites.results import Result, collect_result
from ganzoo.evaluation.suites.runs import TRAINED, PlannedRun, SuiteDirectory, recorded_scores
from ganzoo.evaluation.suites.suite import Entry, Suite
from ganzoo.evaluation.suites.table import html_page, markdown
from ganzoo.evaluation.suites.worker_pool import WorkerPool, task_for, worker_slots
from ganzoo.metrics.judge import fitted, lacks
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.parts import build
from ganzoo.training.stopping import signals_as_ctrl_c


def play(
    suite: Suite,
    out: Path,
    *,
    entries: Sequence[Entry],
    seeds: Sequence[int],
    device: str = "auto",
    jobs: int | None = None,
    data_root: Path | None = None,
) -> Result:
    """Runs the entries with these seeds in the directory `out`, and writes table.md, table.json and table.html there.

    A failed run does not affect others, and is listed in the result with its reason. On Ctrl-C, SIGTERM or SIGHUP
    every run writes a checkpoint, the table of the results so far is written, and KeyboardInterrupt is raised.

    Raises: RunError if `out` contains something else, is in use, or contains runs of a recipe that has changed since;
    DatasetError, MetricError, RecipeError, before anything is run, if an entry cannot be run or scored.
    """
    folder = SuiteDirectory(out)
    slots = worker_slots(device, jobs)
    check_entries(suite, entries, data_root)
    folder.create()
    with exclusive_access(folder):
        folder.prepare(suite)
        planned = folder.planned(entries, seeds)
        pending = [run for run in planned if not is_done(run, suite)]
        failures: dict[str, str] = {}
        result = write_tables(suite, folder, failures)
        try:
            tasks = [task_for(run, folder, suite.scoring, data_root) for run in pending]
            shown = progress(pending, len(planned) - len(pending))
            with signals_as_ctrl_c(), shown as display, WorkerPool(slots, folder.log) as pool:
                for event in pool.run(pending, tasks):
                    display.update(event)
                    if event.status == "failed":
                        failures[event.run.directory.name] = event.reason
                    if event.status:
                        result = write_tables(suite, folder, failures)
        except KeyboardInterrupt:
            write_tables(suite, folder, failures)
            raise
    return result


def check_entries(suite: Suite, entries: Sequence[Entry], data_root: Path | None) -> None:
    """Checks, before anything is trained, that every entry's networks and every metric fit the data.

    Fallback data are never used: a suite compares on the data that it names.
    """
    root = find_data_root(data_root)
    extractor = build(suite.scoring.extractor) if suite.scoring.extractor else None
    loaded: dict[str, Obtained] = {}
    for entry in entries:
        try:
            data = str(entry.data)
            if data not in loaded:  # here, so that it is downloaded once, before several runs need it
                loaded[data] = obtain(entry.recipe.dataset, None, root, allow_fallback=False).load()
            obtained = loaded[data]
            conditions = dry_run(entry.recipe, obtained.info).conditions
            for choice in suite.scoring.metrics:
                metric = fitted(choice, obtained.dataset, obtained.info, suite.scoring.extractor, conditions)
                if extractor is not None and metric.needs != "samples" and lacks(extractor, metric):
                    what = f'the metric "{choice.entry.name}" needs a classifier, and the extractor is none.'
                    raise MetricError(what)
        except GanzooError as error:
            error.what = f'{entry.place}: the entry "{entry.name}": {error.what}'
            raise


def is_done(run: PlannedRun, suite: Suite) -> bool:
    """Whether a run is trained and scored as the suite says. Raises: RunError if it was made with another recipe."""
    loaded = run.load()
    return loaded is not None and loaded.status in TRAINED and recorded_scores(loaded, suite.scoring) is not None


def write_tables(suite: Suite, folder: SuiteDirectory, failures: dict[str, str]) -> Result:
    """The result of the runs in the directory, written there as table.json, table.md and table.html."""
    result = collect_result(suite, folder, failures)
    content = json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n"
    for name, text in (("json", content), ("md", markdown(result)), ("html", html_page(result, folder))):
        replace_file(folder.path / f"table.{name}", text.encode())
    return result


@contextmanager
def exclusive_access(folder: SuiteDirectory) -> Iterator[None]:
    """Locks a suite's directory. Raises: RunError if another process runs a suite there."""
    try:
        with FileLock(folder.lock, timeout=0):
            yield
    except Timeout as error:
        raise RunError(
            f"{folder.path} is being played by another process.", remedy="Wait for it, or stop it."
        ) from error
