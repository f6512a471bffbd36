"""Each finding of rows where the rows show it, and none where they are as in healthy runs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo.core.interfaces import Loss
from ganzoo.core.losses import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein
from ganzoo.evaluation.doctor.divergence import non_finite_value
from ganzoo.evaluation.doctor.finding import Finding
from ganzoo.evaluation.doctor.rows import row_findings
from ganzoo.evaluation.doctor.scale import relative_gradient, scale_of
from ganzoo.recipe import read_recipe

STRONG = {"loss__discriminator": 0.004, "d_real": 0.998, "d_fake": 0.003, "loss__generator": 6.0}
WEAK = {"loss__discriminator": 0.72, "d_real": 0.49, "d_fake": 0.51}
CRITIC = ("loss.name=wasserstein",)


def names(findings: list[Finding]) -> list[str]:
    return [finding.name for finding in findings]


@pytest.mark.parametrize(
    ("overrides", "numbers"),
    [
        ((), {}),
        ((), {"loss__discriminator": [0.30, 0.36, 0.42], "loss__generator": [1.5, 1.7]}),
        (("loss.name=least-squares",), {"loss__discriminator": 0.08, "d_real": 0.7, "d_fake": 0.54}),
        (
            ("loss.name=hinge",),
            {"loss__discriminator": 0.6, "d_real": 0.7, "d_fake": 0.3, "grad__discriminator": 130.0},
        ),
        (CRITIC, {"loss__discriminator": -0.07, "wasserstein": 0.07, "d_real": 0.502, "d_fake": 0.49}),
        (CRITIC, {"loss__discriminator": -20.0, "wasserstein": 24.0, "d_real": 1.0, "d_fake": 0.94}),
        (("loss.name=relativistic",), {"loss__discriminator": 0.683, "d_real": 0.999, "d_fake": 0.93}),
    ],
)
def test_rows_of_healthy_runs_give_no_finding(course: Any, overrides: tuple[str, ...], numbers: dict[str, Any]) -> None:
    assert row_findings(course(overrides=overrides, **numbers)) == []


@pytest.mark.parametrize(
    ("name", "overrides", "numbers"),
    [
        ("discriminator-too-strong", (), STRONG),
        ("discriminator-too-strong", ("loss.name=hinge",), {"loss__discriminator": 0.02, "d_fake": 0.1}),
        ("discriminator-too-strong", ("loss.name=least-squares",), {"loss__discriminator": 0.003, "d_fake": 0.5}),
        ("vanishing-gradients", ("loss.name=minimax",), {"d_fake": 0.01, "loss__generator": -0.01}),
        ("exploding-gradients", CRITIC, {"grad__generator": 1800.0, "wasserstein": 90.0}),
        ("divergence", (), {"loss__generator": 8.9e10}),
        ("oscillation", CRITIC, {"wasserstein": [2.0, 3.0, -2.0, -3.0, 1.0, -1.0], "loss__discriminator": 0.1}),
        ("oscillation", (), {"loss__discriminator": [0.1, 0.1, 0.8, 0.8]}),
    ],
)
def test_what_is_broken_is_said(course: Any, name: str, overrides: tuple[str, ...], numbers: dict[str, Any]) -> None:
    assert names(row_findings(course(overrides=overrides, **numbers))) == [name]


def test_a_finding_says_figure_steps_meaning_change_and_paper(course: Any) -> None:
    (finding,) = row_findings(course(**STRONG))
    assert "0.004 in steps 1,600 to 2,000, 0.6% of what guessing costs (D(x) 0.998, D(G(z)) 0.003)" in finding.seen
    assert finding.figures["share_of_guessing"] == pytest.approx(0.004 / math.log(2), rel=1e-3)
    assert finding.steps == (1600, 2000)
    assert finding.change[0] == "optimizer.discriminator.lr = 4e-05"
    assert finding.paper.startswith("arXiv:")
    assert str(finding).startswith("discriminator too strong: its loss")


@pytest.mark.parametrize("recipe", ["vanilla_mnist", "wgan_mnist", "wgan_gp_mnist", "wgan_gp_gaussians"])
@pytest.mark.parametrize(
    "numbers",
    [
        STRONG,
        WEAK,
        {"grad__generator": 1800.0, "grad__discriminator": 1800.0},
        {"loss__generator": 8.9e10},
        {"grad__generator": [1.0] * 20 + [0.001] * 20},
        {"wasserstein": [2.0, 3.0, -2.0, -3.0], "loss__discriminator": [0.1, 0.1, 0.8, 0.8]},
    ],
)
def test_every_change_is_one_that_the_recipe_takes(course: Any, recipe: str, numbers: dict[str, Any]) -> None:
    for finding in row_findings(course(recipe=recipe, **numbers)):
        assert finding.change
        for line in finding.change:
            read_recipe(recipe, overrides=[line])


def test_a_gradient_that_faded_is_seen_whatever_the_loss(course: Any) -> None:
    (finding,) = row_findings(course(grad__generator=[3.0] * 20 + [0.001] * 20))
    assert finding.name == "vanishing-gradients"
    assert finding.figures["norm"] == 0.001
    assert finding.figures["largest_norm"] == 3.0


def test_the_beginning_of_a_run_is_not_held_against_it(course: Any) -> None:
    assert row_findings(course(4, **STRONG)) == []
    begun = course(40, loss__discriminator=[0.02] * 4 + [0.36] * 36)
    assert [
        names(row_findings(type(begun)(begun.rows[:n], begun.recipe, 2000, begun.loss, begun.scale)))
        for n in range(1, 41)
    ] == [[]] * 40


def test_what_went_away_is_no_finding_any_more(course: Any) -> None:
    assert row_findings(course(60, loss__discriminator=[0.001] * 30 + [0.36] * 30)) == []


def test_one_odd_row_is_no_finding(course: Any) -> None:
    assert row_findings(course(grad__generator=[7.0] * 39 + [1e5])) == []


def test_a_bend_is_no_oscillation(course: Any) -> None:
    """As a critic's estimate goes at the beginning: up, down, and up again."""
    bent = [5 * math.cos(row / 5) for row in range(20)]
    assert row_findings(course(20, overrides=CRITIC, wasserstein=bent, loss__discriminator=bent)) == []


def test_rows_from_before_gradients_were_logged_are_read_all_the_same(course: Any) -> None:
    made = course(**STRONG)
    old = [{name: value for name, value in row.items() if not name.startswith("grad/")} for row in made.rows]
    assert names(row_findings(type(made)(old, made.recipe, 2000, made.loss, made.scale))) == [
        "discriminator-too-strong"
    ]


def test_rows_of_a_game_with_other_players_are_no_trouble(course: Any) -> None:
    made = course()
    rows = [{"step": row["step"], "loss/a": 1.0, "loss/b": 2e7, "grad/a": 5e3} for row in made.rows]
    assert names(row_findings(type(made)(rows, made.recipe, 2000))) == ["divergence"]


def test_a_run_that_failed_for_a_nan_says_where(course: Any) -> None:
    reason = "TrainingFailed: step 60: loss/discriminator is nan.\n  Lower the learning rates."
    finding = non_finite_value(course(1), reason)
    assert finding is not None
    assert (finding.name, finding.severity, finding.steps) == ("divergence", "failure", (50, 60))
    assert "loss/discriminator was nan at step 60" in finding.seen
    assert non_finite_value(course(1), "the budget is spent") is None


@pytest.mark.parametrize(
    ("loss", "guessing", "winning"),
    [
        (NonSaturating(), math.log(2), 0.0),
        (Minimax(), math.log(2), 0.0),
        (Relativistic(), math.log(2), 0.0),
        (Hinge(), 2.0, 0.0),
        (LeastSquares(), 0.25, 0.0),
        (LeastSquares(a=-1.0, b=1.0, c=0.0), 1.0, 0.0),
    ],
)
def test_the_scale_of_a_loss_is_its_equilibrium_and_its_bottom(loss: Loss, guessing: float, winning: float) -> None:
    """The values at equilibrium are those of docs/theory.md, found without knowing which loss it is."""
    scale = scale_of(loss)
    assert scale is not None
    assert scale.guessing == pytest.approx(guessing, abs=1e-6)
    assert scale.winning == pytest.approx(winning, abs=1e-6)


def test_a_critics_loss_has_no_bottom_and_a_strange_loss_no_scale() -> None:
    class Strange(Wasserstein):
        def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
            raise ValueError("it wants two hundred scores")

    assert scale_of(Wasserstein()) is None
    assert scale_of(Strange()) is None


def test_only_a_saturating_loss_passes_on_less_where_the_discriminator_wins() -> None:
    # derivatives of softplus: sigmoid(s) and sigmoid(s) - 1, over their value of 1/2 at s = 0
    assert relative_gradient(Minimax(), 0.99, 0.01) == pytest.approx(0.02, rel=1e-3)
    assert relative_gradient(NonSaturating(), 0.99, 0.01) == pytest.approx(1.98, rel=1e-3)
    assert relative_gradient(Wasserstein(), 0.99, 0.01) == pytest.approx(1.0)
    assert torch.is_grad_enabled()
