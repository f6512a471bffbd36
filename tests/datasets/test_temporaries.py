"""What a killed writer leaves is swept by the next one, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganzoo.datasets import temporaries
from ganzoo.datasets.atomic import atomic_folder, replace_file
from ganzoo.datasets.temporaries import MAX_AGE, machine, remove_folder, sweep

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="no locks on files that are to be renamed")

WRITER = """
import os, sys
from pathlib import Path
from ganzoo.datasets.atomic import atomic_folder
with atomic_folder(Path(sys.argv[1]) / "written") as folder:
    (folder / "weights").write_bytes(bytes(1000))
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder was swept by this process before."""
    monkeypatch.setattr(temporaries, "_swept", set())


def writer(folder: Path) -> subprocess.Popen[bytes]:
    """A process in the middle of writing a folder."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], **pipes)  # type: ignore[call-overload]
    assert process.stdout.readline() == b"writing\n"
    return process  # type: ignore[no-any-return]


@needs_locks
def test_what_a_killed_writer_left_is_swept_by_the_next_one(tmp_path: Path) -> None:
    killed = writer(tmp_path)
    killed.kill()
    killed.communicate()
    assert len(list(tmp_path.iterdir())) == 1
    replace_file(tmp_path / "notes.txt", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@needs_locks
def test_what_a_living_writer_writes_stays(tmp_path: Path) -> None:
    alive = writer(tmp_path)
    (being_written,) = tmp_path.iterdir()
    os.utime(being_written, (0, 0))  # however long it takes
    assert sweep(tmp_path) == []
    alive.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["written"]


def test_what_another_machine_may_still_write_stays_for_a_day(tmp_path: Path) -> None:
    other = "0" * 8 if machine() != "0" * 8 else "1" * 8
    young, old = (tmp_path / f".ganzoo-{other}-1-{number}.tmp" for number in ("00000000", "11111111"))
    for path in (young, old):
        path.mkdir()
        (path / "weights").touch()
    for path in (old / "weights", old):
        os.utime(path, (path.stat().st_mtime - 2 * MAX_AGE,) * 2)
    assert sweep(tmp_path) == [old]
    os.utime(young, (0, 0))  # its files are as new as ever
    assert sweep(tmp_path) == []


def test_files_that_only_look_like_temporaries_stay(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / f".ganzoo-{machine()}-1-00000000.tmp").symlink_to(tmp_path / "target")
    for name in (".notes.123.tmp", ".ganzoo-1-2.tmp", f"ganzoo-{machine()}-1-00000000.tmp"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    assert sweep(tmp_path) == []
    assert sorted(tmp_path.iterdir()) == before


def test_an_interrupted_deletion_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "step-00000001").mkdir()
    (tmp_path / "step-00000001" / "state.json").touch()
    with monkeypatch.context() as killed:
        killed.setattr(temporaries, "rmtree", lambda *_, **__: None)
        remove_folder(tmp_path / "step-00000001")
    assert not (tmp_path / "step-00000001").exists()
    assert len(sweep(tmp_path)) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_right_after_a_temporary_was_made_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept, lock = [], temporaries._lock

    def late(path: Path) -> int | None:
        if not swept:
            swept.extend(sweep(tmp_path))
        return lock(path)

    monkeypatch.setattr(temporaries, "_lock", late)
    with atomic_folder(tmp_path / "written") as folder:
        (folder / "weights").touch()
    assert (tmp_path / "written" / "weights").is_file()
    assert swept or sys.platform == "win32"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_made_for_what_is_written_into_it(tmp_path: Path) -> None:
    for write in (lambda path: replace_file(path, b""), lambda path: atomic_folder(path).__enter__()):
        with pytest.raises(FileNotFoundError):
            write(tmp_path / "gone" / "file")
    assert list(tmp_path.iterdir()) == []
