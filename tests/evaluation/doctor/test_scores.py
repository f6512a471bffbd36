"""Metrics that know the data are asked, and losses at equilibrium are no weakness where samples are as the data are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import ganzoo
from ganzoo.datasets.gaussians import Gaussians
from ganzoo.evaluation.doctor.balance import too_weak
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.evaluation.doctor.finding import Finding, NotExamined

Install = Callable[[str, str], None]

EQUILIBRIUM = {"loss/discriminator": 0.6931, "d_real": 0.5003, "d_fake": 0.4998}
NORMS = {"loss/generator": 0.69, "grad/generator": 0.2, "grad/discriminator": 0.2}

RECIPE = """
[dataset]
radius = 2.0
std = 0.05
size = 10_000
[train]
steps = 4
log_every = 4
sample_every = 0
"""


@pytest.fixture
def at_equilibrium(tmp_path: Path, small_recipe: Callable[[Path, str], Path]) -> Callable[..., ganzoo.Run]:
    """A run on a ring of points whose rows are those of an equilibrium."""

    def made(*overrides: str) -> ganzoo.Run:
        recipe = small_recipe(tmp_path / "ring.toml", RECIPE)
        run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True, overrides=overrides)
        rows = [{"step": step, **EQUILIBRIUM, **NORMS} for step in range(1, 41)]
        run.files.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return run

    return made


def generates(monkeypatch: pytest.MonkeyPatch, points: Callable[[int], Tensor]) -> None:
    """From now on every two-player game's samples are these."""
    monkeypatch.setattr("ganzoo.core.two_player.TwoPlayer.sample", lambda self, n, conditions=None: points(n))


RING = Gaussians(radius=2.0, std=0.05)


def ring(n: int, modes: int = 8, spread: float = 1.0) -> Tensor:
    """Points of the first modes of the ring, n of them."""
    return RING.centres[torch.arange(n) % modes] + spread * RING.std * torch.randn(n, 2)


def test_an_equilibrium_with_samples_like_the_data_is_no_finding(
    at_equilibrium: Callable[..., ganzoo.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = at_equilibrium()
    generates(monkeypatch, ring)
    assert examine(run).findings == ()


def test_guessing_is_a_weakness_where_samples_differ_from_data(
    at_equilibrium: Callable[..., ganzoo.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = at_equilibrium()
    generates(monkeypatch, lambda n: ring(n, modes=1))
    (finding,) = examine(run).findings
    assert finding.name == "discriminator-too-weak"
    assert "though samples are" in finding.seen
    assert "gaussian-modes says modes 1 (real samples 8, healthy ones 6.4 and more)" in finding.seen


def test_without_samples_guessing_is_not_judged(at_equilibrium: Callable[..., ganzoo.Run]) -> None:
    diagnosis = examine(at_equilibrium(), samples=False)
    assert diagnosis.findings == ()
    assert any("only where samples differ from data" in line for line in diagnosis.not_examined)


def test_a_generator_with_one_mode_of_eight_and_hardly_any_quality_is_found(
    at_equilibrium: Callable[..., ganzoo.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its points are spread as widely as the ring, and losses are as in healthy runs."""
    run = at_equilibrium()
    rows = [{"step": step, **NORMS, "loss/discriminator": 0.5, "d_real": 0.6, "d_fake": 0.4} for step in range(1, 41)]
    run.files.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def scattered(n: int) -> Tensor:
        between = 2.0 * torch.stack([f(torch.arange(n) * 0.7854 + 0.3927) for f in (torch.cos, torch.sin)], dim=1)
        points = between + 0.05 * torch.randn(n, 2)  # between the modes, but for seven of a thousand
        points[: round(n * 0.007)] = RING.centres[0]
        return points

    generates(monkeypatch, scattered)
    low = {finding.name: finding for finding in examine(run).findings}["low-score"]
    assert low.seen.startswith("at step 4 the metric gaussian-modes says of 1,000 samples: ")
    assert "modes 1 (real samples 8, healthy ones 6.4 and more), high_quality 0.008" in low.seen
    assert low.figures["high_quality"] == pytest.approx(0.008)  # eight of a thousand
    assert low.figures["high_quality_of_real"] > 0.97
    assert low.change


WEAK = {"loss__discriminator": 0.72, "d_real": 0.49, "d_fake": 0.51}


def test_the_finding_names_the_evidence_of_both(course: Any) -> None:
    finding = too_weak(course(**WEAK), "samples are 0.90 from real ones in energy distance")
    assert isinstance(finding, Finding)
    assert "104% of what guessing costs (D(x) 0.490, D(G(z)) 0.510), though samples are 0.90" in finding.seen
    assert too_weak(course(**WEAK), "") is None
    assert isinstance(too_weak(course(**WEAK), None), NotExamined)
    assert too_weak(course(), "samples are 0.90 from real ones in energy distance") is None


PLUGIN = '''
from ganzoo import Component, Metric, hookimpl


@hookimpl
def ganzoo_components():
    return [
        Component("metric", "upper-half", "halves:UpperHalf"),
        Component("metric", "unasked", "halves:Unasked"),
        Component("metric", "broken", "halves:Broken"),
    ]


class UpperHalf(Metric):
    """The share of points above the axis."""

    kinds = ("point",)
    needs = "samples"
    gives = {"upper": "up"}
    floors = {"upper": 0.5}

    def __call__(self, real, fake, *, seed):
        return {"upper": (fake.raw[:, 1] > 0).double().mean().item()}


class Unasked(UpperHalf):
    """It declares no floor."""

    floors = {}

    def __call__(self, real, fake, *, seed):
        raise AssertionError("nobody asked")


class Broken(UpperHalf):
    """It has a fault."""

    def __call__(self, real, fake, *, seed):
        raise ValueError("no such half")
'''


def test_a_plugins_metric_is_asked_if_it_declares_a_floor(
    at_equilibrium: Callable[..., ganzoo.Run], monkeypatch: pytest.MonkeyPatch, install_plugin: Install
) -> None:
    install_plugin("halves", PLUGIN)
    run = at_equilibrium("loss.name=wasserstein")
    generates(monkeypatch, lambda n: ring(n) - torch.tensor([0.0, 3.0]))
    diagnosis = examine(run)
    said = [finding.seen for finding in diagnosis.findings if finding.name == "low-score"]
    assert any("the metric upper-half says of 1,000 samples: upper 0" in line for line in said)
    assert "broken: ValueError: no such half." in diagnosis.not_examined
    assert not any("unasked" in line for line in diagnosis.not_examined)
