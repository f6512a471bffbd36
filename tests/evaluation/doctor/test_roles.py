"""Players of any name are examined by what their game says that they are, and what cannot be examined is listed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import exit_status
from ganzoo.core.game import PlayerRole
from ganzoo.evaluation.doctor.diagnosis import examine
from ganzoo.evaluation.doctor.history import TrainingHistory
from ganzoo.evaluation.doctor.rows import row_findings, row_outcomes

CYCLEGAN = {
    "discriminators": PlayerRole("discriminator", losses=2),
    "generators": PlayerRole("generator", losses=2),
}

SICK = {
    "discriminator-too-strong": {"loss/discriminators": 0.001, "d_real": 0.73, "d_fake": 0.5},
    "oscillation": {"loss/discriminators": [0.05, 0.05, 0.9, 0.9]},
    "vanishing-gradients": {"grad/generators": [5.0] * 20 + [0.001] * 20},
    "exploding-gradients": {"grad/discriminators": 5000.0},
}


def plural(course: TrainingHistory, roles: Any = CYCLEGAN) -> TrainingHistory:
    """The same rows of a game whose players are called discriminators and generators."""
    players = ("loss/discriminator", "loss/generator", "grad/discriminator", "grad/generator")
    rows = [{f"{key}s" if key in players else key: row[key] for key in row} for row in course.rows]
    return replace(course, rows=rows, roles=roles)


def with_numbers(course: Any, roles: Any = CYCLEGAN, **numbers: Any) -> TrainingHistory:
    """Rows as healthy runs of CycleGAN have them, but for these numbers; a list is repeated."""
    given = {"loss/discriminators": 0.3, "d_real": 0.66, "d_fake": 0.55, **numbers}
    plain = plural(course(overrides=["loss.name=least-squares"]), roles)
    rows = [
        {**row, **{key: value[n % len(value)] if isinstance(value, list) else value for key, value in given.items()}}
        for n, row in enumerate(plain.rows)
    ]
    return replace(plain, rows=rows)


@pytest.mark.parametrize("name", list(SICK))
def test_players_of_other_names_are_examined(course: Any, name: str) -> None:
    assert [finding.name for finding in row_findings(with_numbers(course, **SICK[name]))] == [name]


def test_a_sum_of_two_adversarial_losses_is_measured_by_two(course: Any) -> None:
    """Guessing costs 1/4 under least squares, and two discriminators 1/2."""
    assert row_findings(with_numbers(course)) == []
    (finding,) = row_findings(with_numbers(course, **SICK["discriminator-too-strong"]))
    assert finding.figures["share_of_guessing"] == pytest.approx(0.001 / 0.5)
    assert finding.seen.startswith("the discriminators' loss was 0.001")


def test_what_cannot_be_examined_is_named_with_the_reason(course: Any) -> None:
    without = with_numbers(course)
    rows = [{key: row[key] for key in row if not key.startswith("d_")} for row in without.rows]
    _, missed = row_outcomes(replace(without, rows=rows))
    assert [str(one) for one in missed] == ["saturation: this game logs no d_real and d_fake."]
    found, missed = row_outcomes(with_numbers(course, roles={}, **SICK["discriminator-too-strong"]))
    assert found == []
    assert {one.what for one in missed} == {"balance", "saturation", "vanishing gradients", "oscillation"}
    assert "none of its players (discriminators, generators)" in str(missed[0])


GLYPHS = ["dataset.size=64", "train.batch_size=4", "train.sample_every=0", "train.log_every=1"]


@pytest.mark.parametrize("recipe", ["cyclegan_glyphs", "pix2pix_glyphs"])
def test_games_that_translate_are_examined_by_their_rows(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ganzoo.train(recipe, steps=2, out=tmp_path / "run", device="cpu", quiet=True, overrides=GLYPHS)
    players = list(run.game.players())
    strong = {f"loss/{players[0]}": 0.0001, f"loss/{players[1]}": 3.0, "d_real": 0.73, "d_fake": 0.5}
    norms = {f"grad/{player}": 2.0 for player in players}
    rows = [{"step": step, **strong, **norms} for step in range(1, 21)]
    run.files.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    diagnosis = examine(run)
    assert [finding.name for finding in diagnosis.findings] == ["discriminator-too-strong"]
    assert any(line.startswith(f"optimizer.{players[0]}.lr") for line in diagnosis.findings[0].change)
    assert [line for line in diagnosis.not_examined if not line.startswith("samples:")] == []

    silent = [{key: row[key] for key in row if not key.startswith(("d_", "grad/"))} for row in rows]
    run.files.metrics.write_text("".join(json.dumps(row) + "\n" for row in silent))
    assert exit_status(["doctor", str(run.directory), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["not_examined"]
    assert "saturation: this game logs no d_real and d_fake." in printed
    assert exit_status(["doctor", str(run.directory)]) == 0
    said = capsys.readouterr().out
    assert any(line.startswith("not examined") and "logs no d_real" in line for line in said.splitlines())
