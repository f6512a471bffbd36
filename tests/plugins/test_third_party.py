"""A stranger's plugin, from source to wheel to a run: built, installed and uninstalled by pip, without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SOURCES = {
    "pyproject.toml": """
        [build-system]
        requires = ["hatchling>=1.27"]
        build-backend = "hatchling.build"

        [project]
        name = "acme-gan"
        version = "0.3.1"
        description = "A stranger's GAN"
        dependencies = ["ganzoo>=0.1,<0.2"]

        [project.entry-points.ganzoo]
        acme = "acme_gan.plugin"

        [tool.hatch.build.targets.wheel]
        packages = ["acme_gan"]
    """,
    "acme_gan/__init__.py": "",
    "acme_gan/plugin.py": """
        from ganzoo import Component, hookimpl


        @hookimpl
        def ganzoo_components():
            return [
                Component("generator", "acme", "acme_gan.networks:Narrow", "one hidden layer", "arXiv:0000.00001"),
                Component("discriminator", "acme", "acme_gan.networks:Linear", "one layer"),
                Component("recipe", "acme_ring", "acme_gan:recipes/acme_ring.toml", "points on a ring"),
            ]


        @hookimpl
        def ganzoo_checkpoint(run, step, path):
            (run.directory / "acme.txt").write_text(f"{step} {path.name}")
    """,
    "acme_gan/networks.py": """
        import torch
        from ganzoo import Discriminator, Generator, Shape
        from torch import nn


        class Narrow(Generator):
            def __init__(self, sample_shape: Shape, *, latent_dim: int = 4, width: int = 8) -> None:
                super().__init__()
                self.latent_dim, self.sample_shape = latent_dim, sample_shape
                self.network = nn.Sequential(nn.Linear(latent_dim, width), nn.ReLU(), nn.Linear(width, sample_shape[0]))

            def forward(self, latents: torch.Tensor) -> torch.Tensor:
                return self.network(latents)


        class Linear(Discriminator):
            def __init__(self, sample_shape: Shape) -> None:
                super().__init__()
                self.network = nn.Linear(sample_shape[0], 1)

            def forward(self, samples: torch.Tensor) -> torch.Tensor:
                return self.network(samples).squeeze(1)
    """,
    "acme_gan/recipes/acme_ring.toml": """
        [generator]
        name = "acme"
        width = 6
        [discriminator]
        name = "acme:acme"
        [loss]
        name = "hinge"
        [dataset]
        name = "gaussians"
        size = 100
        [optimizer.generator]
        name = "adam"
        [optimizer.discriminator]
        name = "adam"
        [train]
        steps = 50
        batch_size = 10
    """,
}


def python(interpreter: str | Path, *arguments: object, path: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a Python with nothing but `path` on PYTHONPATH, as pip needs it, and without a network."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "GANZOO_", "PYTHON"))}
    environment |= {"PYTHONPATH": path, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [str(argument) for argument in (interpreter, *arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def shelves(interpreter: str | Path, path: str = "") -> dict[str, list[dict[str, Any]]]:
    """What `ganzoo list --json` prints."""
    done = python(interpreter, "-m", "ganzoo", "list", "--json", path=path)
    assert done.returncode == 0, done.stderr
    listed: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return listed


def pip(*arguments: object, interpreter: str | Path = sys.executable) -> None:
    done = python(sys.executable, "-m", "pip", "--python", interpreter, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stranger's wheel, built from source as they would."""
    for tool in ("pip", "hatchling"):
        if find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    source = tmp_path_factory.mktemp("acme-gan")
    for name, text in SOURCES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(textwrap.dedent(text))
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", source / "dist", source)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def target(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that the wheel is installed into."""
    folder = tmp_path_factory.mktemp("target")
    pip("install", "--quiet", "--no-deps", "--target", folder, wheel)
    return str(folder)


def test_an_installed_wheel_is_on_the_shelves_with_its_distribution_and_version(target: str) -> None:
    listed = shelves(sys.executable, target)
    row = {
        "name": "acme",
        "plugin": "acme",
        "distribution": "acme-gan",
        "version": "0.3.1",
        "summary": "one hidden layer",
        "paper": "arXiv:0000.00001",
    }
    assert row in listed["generators"]
    assert {"acme", "acme_ring"} <= {listed[shelf][0]["name"] for shelf in ("discriminators", "recipes")}
    [plugin] = [row for row in listed["plugins"] if row["name"] == "acme"]
    assert (plugin["status"], plugin["cause"], plugin["summary"]) == ("ok", "", "A stranger's GAN")
    assert not [row for rows in shelves(sys.executable).values() for row in rows if row["plugin"] == "acme"]


def test_its_recipe_trains_and_the_run_says_whose_it_is(target: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ("--steps", 2, "--out", out, "--device", "cpu", "--plain")
    done = python(sys.executable, "-m", "ganzoo", "run", "acme_ring", *flags, path=target)
    assert done.returncode == 0, done.stderr
    facts = json.loads((out / "run.json").read_text())
    assert (facts["status"], facts["step"]) == ("finished", 2)
    assert facts["plugins"]["acme-gan"] == "0.3.1"
    assert facts["parameters"]["generator"] == 4 * 6 + 6 + 6 * 2 + 2
    assert (out / "acme.txt").read_text() == "2 step-00000002"  # its listener heard of the last checkpoint


@pytest.mark.parametrize("command", [("resume", "--steps", "2"), ("sample", "-o", "x.png")], ids=" ".join)
def test_a_run_whose_plugin_is_gone_says_what_to_install(target: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    flags = ("--steps", 1, "--out", tmp_path / "run", "--device", "cpu", "--quiet")
    assert python(sys.executable, "-m", "ganzoo", "run", "acme_ring", *flags, path=target).returncode == 0
    name, *options = command
    done = python(sys.executable, "-m", "ganzoo", name, tmp_path / "run", *options)
    assert done.returncode == 2
    assert "was made with acme-gan 0.3.1, which is not installed here" in done.stderr
    assert "pip install acme-gan==0.3.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recipe_whose_plugin_is_gone_says_what_is_missing(target: str, tmp_path: Path) -> None:
    recipe = Path(target) / "acme_gan" / "recipes" / "acme_ring.toml"
    done = python(sys.executable, "-m", "ganzoo", "run", recipe, "--out", tmp_path / "run", "--device", "cpu")
    assert done.returncode == 2
    assert 'no generator "acme"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_uninstalled_it_is_gone_without_trace(wheel: Path, tmp_path: Path) -> None:
    made = python(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env")
    assert made.returncode == 0, made.stderr
    own = Path(sysconfig.get_path("purelib", "venv", {"base": str(tmp_path / "env")}))
    inside = Path(sysconfig.get_path("scripts", "venv", {"base": str(tmp_path / "env")})) / "python"
    # what this environment has, that one has as well: ganzoo, its dependencies, and what is installed editable
    (own / "outer.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    files, before = sorted(own.rglob("*")), shelves(inside)
    pip("install", "--quiet", "--no-deps", wheel, interpreter=inside)
    assert "acme" in {row["name"] for row in shelves(inside)["generators"]}
    pip("uninstall", "--quiet", "--yes", "acme-gan", interpreter=inside)
    assert shelves(inside) == before
    assert sorted(own.rglob("*")) == files
