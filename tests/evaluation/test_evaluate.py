"""What a user gets from scoring a run: numbers that repeat, each with everything that it depends on."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import ganzoo
from ganzoo.core.game import Game
from ganzoo.errors import PluginError, RecipeError, RunError
from ganzoo.evaluation.evaluate import interval, refuse_translation_games
from ganzoo.metrics.judge import draw_samples
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.runs.score import read_scores

POINTS = """
[generator]
name = "mlp"
latent_dim = 2
hidden = [8]
output = "none"
[discriminator]
name = "mlp"
hidden = [8]
[loss]
name = "hinge"
[dataset]
name = "gaussians"
size = 1000
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 5
sample_every = 0
"""


def scores(run: Path, **options: Any) -> dict[str, ganzoo.Score]:
    options = {"metrics": ["fid"], "n": 100, "draws": 2, "device": "cpu"} | options
    return {score.name: score for score in ganzoo.evaluate(run, **options)}


def files(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and path.parent.name != "evaluations"
    }


def test_a_score_says_everything_that_it_depends_on(glyph_run: Path) -> None:
    fid = scores(glyph_run, metrics=[{"name": "kid", "subsets": 3}], seed=7)["kid"]
    assert (fid.step, fid.ema, fid.seed, fid.device, fid.better, fid.run) == (20, True, 7, "cpu", "down", "run")
    protocol = fid.protocol
    assert (protocol.metric, protocol.options) == ("kid", {"subsets": 3, "subset_size": 1000})
    assert (protocol.n_real, protocol.n_fake, protocol.split, protocol.dataset) == (100, 100, "test", "few-glyphs")
    assert (protocol.extractor, protocol.digest) == ("stand-in", "sha256:no weights")
    assert protocol.checksum.startswith("sha256:")
    assert {"ganzoo", "torch", "torch-fidelity", "third-few"} <= fid.versions.keys()
    assert fid.low is not None
    assert fid.high is not None
    assert fid.low < fid.value < fid.high
    assert "2 draws" in fid.interval
    assert fid.date.endswith("+00:00")
    for part in ("kid", "100 generated against 100 of few-glyphs's test split", "stand-in", "subsets 3"):
        assert part in str(fid)


def test_the_same_evaluation_gives_the_same_numbers(glyph_run: Path) -> None:
    settings: dict[str, Any] = {"metrics": ["fid", "kid", "precision-recall", "density-coverage", "inception-score"]}
    one, again, other = (scores(glyph_run, seed=seed, **settings) for seed in (3, 3, 4))
    assert {name: score.draws for name, score in one.items()} == {name: score.draws for name, score in again.items()}
    assert {name: score.floor for name, score in one.items()} == {name: score.floor for name, score in again.items()}
    assert one["fid"].draws != other["fid"].draws
    assert one.keys() == {"fid", "kid", "precision", "recall", "density", "coverage", "inception_score"}


def test_evaluating_leaves_the_run_and_the_random_streams_as_they_were(glyph_run: Path) -> None:
    before, stream = files(glyph_run), torch.get_rng_state()
    scores(glyph_run)
    assert files(glyph_run) == before
    assert torch.equal(torch.get_rng_state(), stream)


def test_scores_are_recorded_in_the_run_and_read_back_equal(glyph_run: Path) -> None:
    made = scores(glyph_run, metrics=["precision-recall"], seed=11)
    kept = {score.name: score for score in ganzoo.load(glyph_run).scores if score.seed == 11}
    assert kept == made
    unsaved = scores(glyph_run, metrics=["precision-recall"], seed=12, save=False)
    assert unsaved
    assert not [score for score in ganzoo.load(glyph_run).scores if score.seed == 12]


def test_more_draws_are_another_score_and_not_in_the_place_of_the_first(glyph_run: Path) -> None:
    for draws in (1, 2, 2):
        ganzoo.evaluate(glyph_run, metrics=["fid"], n=44, draws=draws, seed=31, device="cpu")
    recorded = [score for score in ganzoo.load(glyph_run).scores if score.seed == 31]
    assert sorted(len(score.draws) for score in recorded) == [1, 2]


def test_averaged_weights_and_the_weights_themselves_are_two_scores(glyph_run: Path) -> None:
    averaged, raw = (scores(glyph_run, ema=ema)["fid"] for ema in (True, False))
    assert (averaged.ema, raw.ema) == (True, False)
    assert averaged.value != raw.value
    assert averaged.comparable(raw)


def test_real_data_get_a_better_score_than_a_generator_that_learned_nothing(glyph_run: Path) -> None:
    made = scores(glyph_run, metrics=["fid", "precision-recall", "density-coverage"])
    for name in ("fid", "recall", "density", "coverage"):
        score = made[name]
        assert score.floor is not None
        assert (score.value > score.floor) == (score.better == "down"), name


def test_scores_of_other_protocols_cannot_be_compared(glyph_run: Path) -> None:
    base = scores(glyph_run)["fid"]
    assert base.comparable(scores(glyph_run, seed=1)["fid"])
    others = [{"n": 50}, {"split": "train"}, {"extractor": "pixels"}]
    for other in others:
        assert not base.comparable(scores(glyph_run, **other)["fid"]), other
    kid, with_option = (
        scores(glyph_run, metrics=[{"name": "kid", **options}])["kid"] for options in ({}, {"subsets": 5})
    )
    assert not kid.comparable(with_option)
    assert not kid.comparable(base)
    assert len({one.protocol.key for one in (base, kid, with_option)}) == 3


def test_the_training_split_is_compared_against_when_asked_for(glyph_run: Path) -> None:
    both = [scores(glyph_run, split=split, n=300)["fid"] for split in ("test", "train")]
    assert [score.protocol.n_real for score in both] == [200, 300]
    assert both[0].protocol.checksum != both[1].protocol.checksum
    assert both[1].protocol.checksum == ganzoo.load(glyph_run).facts["dataset"]["checksum"]


def test_without_names_every_metric_that_fits_is_computed(glyph_run: Path) -> None:
    made = scores(glyph_run, metrics=[], draws=1)
    assert {"brightness", "fid", "kid", "precision", "coverage", "inception_score"} <= made.keys()
    assert "high_quality" not in made
    bare = scores(glyph_run, metrics=[], draws=1, extractor="stand-in")
    assert bare.keys() == made.keys()


def test_a_plugins_metric_and_extractor_are_used_by_name(glyph_run: Path) -> None:
    single, double = (
        scores(glyph_run, metrics=[{"name": "brightness", "scale": scale}])["brightness"] for scale in (1.0, 2.0)
    )
    assert double.value == pytest.approx(2 * single.value)
    assert (single.protocol.extractor, single.protocol.digest) == ("", "")  # it was not asked
    assert scores(glyph_run, extractor="pixels")["fid"].protocol.extractor == "pixels"


def test_one_draw_has_no_interval(glyph_run: Path) -> None:
    one = scores(glyph_run, draws=1)["fid"]
    assert (one.low, one.high, one.interval) == (None, None, "none: one draw")
    assert len(one.draws) == 1


def test_the_interval_is_students() -> None:
    low, high, _ = interval([1.0, 2.0, 3.0])
    # mean 2, standard deviation 1, and t = 4.302653 for 95 % and two degrees of freedom, as tables have it
    assert low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    assert high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"metrics": ["fidd"]}, PluginError, "fidd"),
        ({"extractor": "nope"}, PluginError, "nope"),
        ({"metrics": [{"name": "kid", "subset": 3}]}, RecipeError, "Did you mean subsets"),
        ({"metrics": [{"subsets": 3}]}, ganzoo.MetricError, "a name"),
        ({"metrics": ["gaussian-modes"]}, ganzoo.MetricError, "centres"),
        ({"metrics": ["inception-score"], "extractor": "pixels"}, ganzoo.MetricError, "needs a classifier"),
        ({"n": 1}, ganzoo.MetricError, "at least 2 samples"),
        ({"metrics": ["precision-recall"], "n": 3}, ganzoo.MetricError, "at least 4 samples"),
        ({"draws": 0}, ganzoo.MetricError, "from 1 up"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(
    glyph_run: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        scores(glyph_run, **options)


def test_other_data_than_the_run_learned_from_are_refused(glyph_run: Path) -> None:
    run = ganzoo.load(glyph_run)
    run.facts["dataset"] = run.facts["dataset"] | {"checksum": "sha256:of something else"}
    with pytest.raises(RunError, match="not the one that this run learned from"):
        ganzoo.evaluate(run, metrics=["fid"], n=10)


def test_without_torch_fidelity_the_extra_is_named(glyph_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity.metric_fid", None)
    with pytest.raises(ganzoo.MetricError, match=r"ganzoo\[evaluate\]"):
        scores(glyph_run)


def test_a_run_that_translates_is_told_that_there_is_nothing_to_score() -> None:
    class Swap(Game):
        directions = ("a2b",)

        def players(self) -> Any: ...
        def play(self, draw: Any) -> Any: ...
        def preview(self, batch: Any) -> Any: ...

    run: Any = SimpleNamespace(
        name="r", recipe=SimpleNamespace(game=SimpleNamespace(entry=SimpleNamespace(name="swap")))
    )
    with pytest.raises(RunError, match="no samples from latents"):
        refuse_translation_games(run, Swap())


def test_labels_are_given_to_games_that_use_them_as_often_as_in_the_training_data() -> None:
    class Labelled(Game):
        conditions = ("label",)

        def players(self) -> Any: ...
        def play(self, draw: Any) -> Any: ...
        def preview(self, batch: Any) -> Any: ...

        def sample(self, n: int, conditions: ganzoo.Batch | None = None) -> torch.Tensor:
            assert conditions is not None
            assert len(conditions["label"]) == n
            return conditions["label"].float().view(n, 1)

    labels = torch.tensor([3] * 75 + [5] * 25)
    fields = {"real": ganzoo.Field((1,), "float32"), "label": ganzoo.Field.label("0123456789")}
    kinds = FieldKinds(ganzoo.DatasetInfo(fields=fields, size=100, kind="point"))
    train = ganzoo.Examples(tensors={"label": labels}, checksum="", origin="")
    given = draw_samples(Labelled(), 2000, 0, torch.device("cpu"), train, kinds)[0].flatten()
    assert set(given.tolist()) == {3.0, 5.0}
    # 2,000 draws of a share of 3/4: standard deviation 0.0097, five of them 0.049
    assert abs((given == 3).double().mean().item() - 0.75) < 0.049


def test_samples_that_are_no_numbers_are_named(glyph_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.metrics.fidelity.FID.__call__", lambda *_, **__: {"fid": float("nan")})
    with pytest.raises(ganzoo.MetricError, match="fid is nan"):
        scores(glyph_run)


def test_points_are_scored_by_modes_against_the_published_protocol(tmp_path: Path) -> None:
    recipe = tmp_path / "points.toml"
    recipe.write_text(POINTS)
    run = ganzoo.train(recipe, out=tmp_path / "run", device="cpu", quiet=True)
    made = {score.name: score for score in ganzoo.evaluate(run, draws=1)}
    assert made.keys() == {"modes", "high_quality"}
    assert made["modes"].protocol.n_fake == 2500
    assert made["modes"].floor == 8
    assert 0 <= made["high_quality"].value <= 1


def test_a_damaged_score_is_named(glyph_run: Path) -> None:
    scores(glyph_run)
    name = "step-99999999-fid-0123456789ab-seed-0-draws-1-raw.json"
    broken = glyph_run / "evaluations" / name
    for content in ("{", "[]", '{"scores": [{"name": "fid"}]}'):
        broken.write_text(content)
        with pytest.raises(ganzoo.MetricError, match=re.escape(name)):
            read_scores(broken.parent)
    broken.unlink()


def test_a_score_survives_json_and_what_a_newer_version_adds(glyph_run: Path) -> None:
    score = scores(glyph_run)["fid"]
    value = json.loads(json.dumps(score.to_json())) | {"mood": "good"}
    assert ganzoo.Score.from_json(value) == score
    assert ganzoo.Score.from_json(value) != replace(score, value=0.0)
