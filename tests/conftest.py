"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: GANZOO_DATA, or shared/data beside the checkout; the test is skipped elsewhere."""
    for candidate in (os.environ.get("GANZOO_DATA"), REPOSITORY.parent / "shared" / "data"):
        if candidate and (Path(candidate) / "MNIST" / "raw").is_dir():
            return Path(candidate)
    pytest.skip("no real data here: set GANZOO_DATA to a folder with MNIST/raw")


@pytest.fixture
def recipes() -> Path:
    """The folder of the recipes that ganzoo ships."""
    return REPOSITORY / "recipes"


@dataclass(frozen=True)
class Stranger:
    """A virtual environment of somebody who has the ganzoo wheel and its dependencies, and nothing of this checkout.

    Nothing is downloaded: what ganzoo depends on is seen in the outer environment, file by file, without its ganzoo and
    without its plugins. folder: the environment's; purelib: where it installs.
    """

    folder: Path
    purelib: Path
    scripts: Path

    def run(self, *command: object, cwd: Path | None = None, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command with this environment's programs first on PATH. ok: whether it has to succeed."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GANZOO_", "PIP_", "PYTHON"))}
        path = f"{self.scripts}{os.pathsep}{os.environ['PATH']}"
        quiet = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd or self.folder,
            env={**kept, **quiet, "PATH": path, "GANZOO_CACHE": str(self.folder / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
        assert not ok or done.returncode == 0, said
        assert "Traceback" not in done.stderr, said
        return done


@pytest.fixture(scope="session")
def ganzoo_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ganzoo's wheel, built from this checkout."""
    for tool in ("pip", "hatchling", "editables", "build"):
        if find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture
def stranger(ganzoo_wheel: Path, tmp_path: Path) -> Stranger:
    """A stranger's environment, with the ganzoo wheel installed."""
    folder = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    paths = {name: Path(sysconfig.get_path(name, "venv", {"base": str(folder)})) for name in ("purelib", "scripts")}
    outer = tmp_path / "outer"
    outer.mkdir()
    for item in Path(sysconfig.get_path("purelib")).iterdir():
        if not item.name.startswith(("ganzoo", "_editable_impl", "__editable__")) and item.suffix != ".pth":
            (outer / item.name).symlink_to(item)
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"  # a program, and not a module as the others are
    (paths["scripts"] / ruff.name).symlink_to(ruff)
    (paths["purelib"] / "outer.pth").write_text(f"{outer}\n")
    made = Stranger(folder, **paths)
    made.run("python", "-m", "pip", "install", "--quiet", ganzoo_wheel)
    return made
