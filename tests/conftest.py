"""Fixtures that several rooms share."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
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


SMALL = """
[generator]
name = "mlp"
latent_dim = 4
hidden = [16]
output = "none"
[discriminator]
name = "mlp"
hidden = [16]
[loss]
name = "non-saturating"
[dataset]
name = "gaussians"
size = 500
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 4
"""


@pytest.fixture(scope="session")
def small_recipe() -> Callable[[Path, str], Path]:
    """Writes a recipe to a path, and gives the path back: a small GAN of points, but for what the text says of it."""

    def write(path: Path, differs: str) -> Path:
        (path.parent / "points.toml").write_text(SMALL)
        path.write_text(f'extends = "points.toml"\n{differs}')
        return path

    return write


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


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Installs a distribution of one module, which registers itself, for one test: (the module's name, its source)."""
    from ganzoo.plugins import zoo

    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    names: list[str] = []

    def install(name: str, source: str) -> None:
        (site / f"{name}.py").write_text(source)
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ganzoo]\n{name} = {name}\n")
        names.append(name)
        importlib.invalidate_caches()
        zoo.cache_clear()

    yield install
    zoo.cache_clear()
    for name in names:
        sys.modules.pop(name, None)


FEW_GLYPHS = """
import torch
from ganzoo import Component, Dataset, DatasetInfo, Examples, Extractor, Features, Field, Metric, hookimpl
from ganzoo.datasets.glyph_rendering import render_digits
from ganzoo.datasets.digest import digest_of


@hookimpl
def ganzoo_components():
    return [
        Component("dataset", "few-glyphs", "third_few:FewGlyphs"),
        Component("extractor", "pixels", "third_few:Pixels"),
        Component("extractor", "stand-in", "third_few:StandIn"),
        Component("metric", "brightness", "third_few:Brightness"),
    ]


class FewGlyphs(Dataset):
    def info(self, root):
        digits = tuple("0123456789")
        return DatasetInfo(
            fields={"real": Field((1, 28, 28), "uint8"), "label": Field.label(digits)}, size=300, extractor="stand-in"
        )

    def load(self, root, split="train"):
        images, labels = render_digits(300 if split == "train" else 200, 28, 1 if split == "train" else 2)
        tensors = {"real": images, "label": labels}
        return Examples(tensors=tensors, checksum=digest_of(tensors), origin="a test")


class Pixels(Extractor):
    digest = "sha256:no weights"

    def forward(self, images):
        return Features(torch.nn.functional.avg_pool2d(images.float() / 255, 7).mean(1).flatten(1))


class StandIn(Pixels):
    classifies = "other"

    def forward(self, images):
        seen = super().forward(images).features
        return Features(seen, seen @ torch.linspace(-9, 9, 16 * 5, device=seen.device).sin().view(16, 5) * 9)


class Brightness(Metric):
    gives = {"brightness": "up"}
    needs = "samples"

    def __init__(self, *, scale: float = 1.0):
        self.scale = scale

    def __call__(self, real, fake, *, seed):
        return {"brightness": self.scale * fake.raw.double().mean().item()}
"""


@pytest.fixture(scope="module")
def few_glyphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A plugin with 300 + 200 glyphs, two feature extractors without weights, and a metric."""
    from ganzoo.plugins import zoo

    site = tmp_path_factory.mktemp("site")
    (site / "third_few.py").write_text(FEW_GLYPHS)
    info = site / "third_few-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-few\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[ganzoo]\nthird_few = third_few\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        importlib.invalidate_caches()
        zoo.cache_clear()
        yield
    zoo.cache_clear()
    sys.modules.pop("third_few", None)


@pytest.fixture(scope="module")
def glyph_run(few_glyphs: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 steps on the few glyphs, with averaged weights."""
    import ganzoo

    folder = tmp_path_factory.mktemp("glyphs")
    (folder / "few.toml").write_text(
        """
        extends = "vanilla_mnist"
        [generator]
        latent_dim = 8
        hidden = [16]
        [discriminator]
        hidden = [16]
        [dataset]
        name = "few-glyphs"
        [ema]
        every = 1
        [train]
        steps = 20
        sample_every = 0
        """
    )
    return ganzoo.train(folder / "few.toml", out=folder / "run", device="cpu", quiet=True).directory
