"""Mutants of every kind of file that comes in: each is used, or refused by a message that names the file.

A failure is any other exception, a message without the file's name, more than SECONDS, or growing memory.
"""

from __future__ import annotations

import gzip
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from ganzoo.datasets import cifar10
from ganzoo.datasets.cifar10 import ARCHIVE, CIFAR10, FOLDER, RECORD
from ganzoo.datasets.image_folder import ImageFolder
from ganzoo.datasets.mnist import MNIST
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.evaluation.suites.reading import read_suite
from ganzoo.plugins.discovery import find_candidates
from ganzoo.recipe import read_recipe

from . import mutants

if TYPE_CHECKING:
    from tests.reliability.conftest import Row

pytestmark = pytest.mark.filterwarnings("ignore")  # of decoders, about damaged files: a user sees a line of them

SECONDS = 20
"""The most that a mutant may take: a hang is longer, whatever else this machine does."""

MEMORY = 400 * 2**20
"""The most bytes by which the process may have grown after a mutant."""


@contextmanager
def bounded() -> Iterator[None]:
    """Inside, more than SECONDS or MEMORY is an error."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before, memory = signal.signal(signal.SIGALRM, late), psutil.Process().memory_info().rss
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert psutil.Process().memory_info().rss - memory < MEMORY, "memory grew"


def used_or_refused(use: Callable[[], object], *names: str) -> None:
    """Uses a file; a refusal has to be a GanzooError whose message has one of the names."""
    with bounded():
        try:
            use()
            return
        except GanzooError as error:
            refusal = error
    assert any(name in str(refusal) for name in names), f"the file is not named: {refusal}"
    assert len(str(refusal)) < 50_000
    if isinstance(refusal, RecipeError):
        assert all(any(name in problem.where for name in names) for problem in refusal.problems)


RECIPES = sorted((mutants.REPOSITORY / "recipes").glob("*.toml"))


@pytest.mark.row("A recipe, bytes or structure changed", quick=120, long=4_000)
def test_a_mutant_of_a_recipe_is_read_or_refused_by_name(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for seed in row:
        draw = random.Random(seed)
        original = draw.choice(RECIPES)
        path.write_bytes(mutants.mutated_toml(original.read_text(), draw))
        with row.case(f"seed {seed} of {original.name}"):
            used_or_refused(lambda: read_recipe(path), str(path))


@pytest.mark.row("A suite, bytes or structure changed", quick=30, long=1_000)
def test_a_mutant_of_a_suite_is_read_or_refused_by_name(row: Row, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    suite = (mutants.REPOSITORY / "suites" / "gaussians.toml").read_text()
    for seed in row:
        path.write_bytes(mutants.mutated_toml(suite, random.Random(seed)))
        with row.case(f"seed {seed}"):
            used_or_refused(lambda: read_suite(path), str(path))


@pytest.mark.row("An idx file of MNIST, packed or not, bytes changed", quick=60, long=2_000)
def test_a_mutant_of_an_idx_file_is_read_or_refused_by_name(row: Row, tmp_path: Path) -> None:
    names = {False: "train-images-idx3-ubyte", True: "train-labels-idx1-ubyte"}
    for seed in row:
        draw = random.Random(seed)
        packed, of_labels = draw.random() < 0.5, draw.random() < 0.5
        root = tmp_path / str(seed)
        root.mkdir()
        for labels, name in names.items():
            content = mutants.idx(20, packed=False, labels=labels)
            if labels == of_labels:  # what is packed may be changed before or after that
                content = mutants.mutated_bytes(content, draw) if draw.random() < 0.5 or not packed else content
                content = gzip.compress(content, mtime=0) if packed else content
                content = mutants.mutated_bytes(content, draw) if packed else content
            (root / f"{name}{'.gz' if packed and labels == of_labels else ''}").write_bytes(content)
        with row.case(f"seed {seed}"):
            used_or_refused(lambda root=root: MNIST().load(root), *names.values())


@pytest.mark.row("The archive of CIFAR-10, bytes changed, as if its digest were right", quick=40, long=1_000)
def test_a_mutant_of_an_archive_is_read_or_refused_by_name(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = mutants.archive([f"{FOLDER}/{name}" for name in cifar10.FILES["train"]], RECORD)
    for seed in row:
        root = tmp_path / str(seed) / "root"
        root.mkdir(parents=True)
        draw = random.Random(seed)
        content = mutants.mutated_bytes(sound, draw)
        content = mutants.mutated_bytes(gzip.compress(content, 1), draw) if draw.random() < 0.3 else content
        (root / ARCHIVE).write_bytes(content)
        monkeypatch.setattr(cifar10, "MD5", cifar10.file_digest(root / ARCHIVE, "md5", limit=2**30))
        with row.case(f"seed {seed}"):
            used_or_refused(lambda root=root: CIFAR10().load(root), ARCHIVE, "data_batch_")
            assert sorted(path.name for path in root.parent.iterdir()) == ["root"]
            assert {path.name for path in root.iterdir()} <= {ARCHIVE, FOLDER}


@pytest.mark.row("A picture (PNG, JPEG, TIFF, WEBP, GIF), bytes changed", quick=150, long=6_000)
def test_a_mutant_of_a_picture_is_read_or_refused_by_name(row: Row, tmp_path: Path) -> None:
    formats = {"PNG": "png", "JPEG": "jpg", "TIFF": "tif", "WEBP": "webp", "GIF": "gif"}
    for seed in row:
        draw = random.Random(seed)
        kind = draw.choice(sorted(formats))
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / f"sound.{formats[kind]}").write_bytes(mutants.image("JPEG" if kind == "TIFF" else kind, draw))
        path = folder / f"mutant.{formats[kind]}"
        path.write_bytes(mutants.mutated_bytes(mutants.image(kind, draw), draw))
        with row.case(f"seed {seed}, {kind}"):
            used_or_refused(lambda folder=folder: ImageFolder(path=str(folder), size=16).load(folder), path.name)


METADATA = """\
Metadata-Version: 2.4
Name: ganzoo-odd
Version: 1.0.2
Summary: What is odd
Author-email: Somebody <somebody@example.org>
Project-URL: Homepage, https://example.org
License-Expression: MIT
Classifier: License :: OSI Approved :: MIT License
Requires-Dist: ganzoo

Its description.
"""
ENTRY_POINTS = "[console_scripts]\nodd = ganzoo_odd:main\n\n[ganzoo]\nganzoo_odd = ganzoo_odd.plugin\n"


@pytest.mark.row("The records of an installed plugin, bytes changed", quick=100, long=3_000)
def test_a_mutant_of_a_plugins_records_is_a_candidate_that_can_be_shown(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in row:
        draw = random.Random(seed)
        info = tmp_path / f"{seed}" / "ganzoo_odd-1.0.dist-info"
        info.mkdir(parents=True)
        records = {"METADATA": METADATA.encode(), "entry_points.txt": ENTRY_POINTS.encode()}
        changed = draw.choice(sorted(records))
        records[changed] = mutants.mutated_bytes(records[changed], draw)
        for name, content in records.items():
            (info / name).write_bytes(content)
        monkeypatch.setattr("ganzoo.plugins.discovery.distributions", lambda info=info: [PathDistribution(info)])
        with row.case(f"seed {seed}, {changed}"), bounded():
            for candidate in (candidate for group in find_candidates() for candidate in group):
                assert candidate.packages() is not None
                shown = f"{candidate.name} {candidate} {candidate.metadata_error}"
                assert shown.isprintable(), shown
                assert candidate.metadata_error or candidate.entry_point is not None
