"""Plays a suite: what is done is left alone, what is half done goes on, what is missing is made; then the table."""

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
from ganzoo.evaluation.suites.results import Result, result_of
from ganzoo.evaluation.suites.runs import TRAINED, Planned, SuiteDirectory, scores_of
from ganzoo.evaluation.suites.suite import Entry, Suite
from ganzoo.evaluation.suites.table import markdown, page
from ganzoo.evaluation.suites.worker_pool import Crew, order_for, seats
from ganzoo.metrics.judge import fitted, lacks
from ganzoo.recipe.dry_run import dry_run
from ganzoo.recipe.parts import build


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
    """Plays the entries at those seeds in the directory `out`, and writes table.md, table.json and table.html there.

    A run that fails loses no other one: it stands in the result with its reason. On Ctrl-C every run writes a
    checkpoint, the table is written as far as it goes, and KeyboardInterrupt is raised again.

    Raises: RunError where `out` holds something else, is in use, or holds runs of a recipe that has changed since;
    DatasetError, MetricError, RecipeError where an entry cannot be played or scored at all, before any is.
    """
    folder = SuiteDirectory(out)
    work = seats(device, jobs)
    fit(suite, entries, data_root)
    folder.claim()
    with alone(folder):
        folder.prepare(suite)
        planned = folder.planned(entries, seeds)
        waiting = [run for run in planned if not is_done(run, suite)]
        failures: dict[str, str] = {}
        result = written(suite, folder, failures)
        try:
            orders = [order_for(run, folder, suite.scoring, data_root) for run in waiting]
            with progress(waiting, len(planned) - len(waiting)) as shown, Crew(work, folder.log) as crew:
                for news in crew.play(waiting, orders):
                    shown.take(news)
                    if news.status == "failed":
                        failures[news.run.directory.name] = news.reason
                    if news.status:
                        result = written(suite, folder, failures)
        except KeyboardInterrupt:
            written(suite, folder, failures)
            raise
    return result


def fit(suite: Suite, entries: Sequence[Entry], data_root: Path | None) -> None:
    """Tries, before anything is trained, whether every entry's networks and every metric fit the data.

    Data are never replaced by a fallback here: a suite compares on the data that it names.
    """
    root = find_data_root(data_root)
    extractor = build(suite.scoring.extractor) if suite.scoring.extractor else None
    loaded: dict[str, Obtained] = {}
    for entry in entries:
        try:
            data = str(entry.data)
            if data not in loaded:  # here, so that a download happens once, before several runs ask for it
                loaded[data] = obtain(entry.recipe.dataset, None, root, allow_fallback=False).load()
            obtained = loaded[data]
            dry_run(entry.recipe, obtained.info)
            for choice in suite.scoring.metrics:
                metric = fitted(choice, obtained.dataset, obtained.info, suite.scoring.extractor)
                if extractor is not None and metric.needs != "samples" and lacks(extractor, metric):
                    what = f'the metric "{choice.entry.name}" needs a classifier, and the extractor is none.'
                    raise MetricError(what)
        except GanzooError as error:
            error.what = f'{entry.place}: the entry "{entry.name}": {error.what}'
            raise


def is_done(run: Planned, suite: Suite) -> bool:
    """Whether a run is trained and scored as the suite asks. Raises: RunError where it is another run."""
    made = run.on_disk()
    return made is not None and made.status in TRAINED and scores_of(made, suite.scoring) is not None


def written(suite: Suite, folder: SuiteDirectory, failures: dict[str, str]) -> Result:
    """The result of what lies in the directory, written there as table.json, table.md and table.html."""
    result = result_of(suite, folder, failures)
    content = json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n"
    for name, text in (("json", content), ("md", markdown(result)), ("html", page(result, folder))):
        replace_file(folder.path / f"table.{name}", text.encode())
    return result


@contextmanager
def alone(folder: SuiteDirectory) -> Iterator[None]:
    """Two processes never play one suite's directory. Raises: RunError where another one does."""
    try:
        with FileLock(folder.lock, timeout=0):
            yield
    except Timeout as error:
        raise RunError(
            f"{folder.path} is being played by another process.", remedy="Wait for it, or stop it."
        ) from error
