"""The games of CycleGAN and pix2pix: what their moves say, and that runs of them go on exactly."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganzoo_cyclegan.cyclegan import CycleGAN
from ganzoo_cyclegan.networks import PatchDiscriminator, ResNetTranslator, UNetTranslator
from ganzoo_cyclegan.pix2pix import Pix2Pix
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss, softplus

import ganzoo
from ganzoo import Batch, Discriminator, Game, Loss, OptionError, Shape, Translator


class Scores(Loss):
    """The least squares of the paper, without LSGAN's half for the generators."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (mse_loss(real, torch.ones_like(real)) + mse_loss(fake, torch.zeros_like(fake)))

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return 0.5 * mse_loss(fake, torch.ones_like(fake))


class CrossEntropy(Loss):
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (softplus(-real).mean() + softplus(fake).mean())

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean()


class Paired(CrossEntropy):
    """One that reads the real scores, too, as relativistic losses do."""

    needs_real_scores = True

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        return softplus(real - fake).mean()


class Bench:
    """Tiny parts for a game, without a recipe."""

    def __init__(self, a: Shape, b: Shape, loss: Loss, kind: type[Any] = ResNetTranslator) -> None:
        self.shapes: Mapping[str, Shape] = {"a": a, "b": b}
        self.kind = kind
        self.made = loss

    def generator(self, **options: Any) -> Any:
        raise AssertionError("these games have no latents")

    def translator(self, **options: Any) -> Translator:
        made: Translator = self.kind(**options, width=2)
        return made

    def discriminator(self, **options: Any) -> Discriminator:
        return PatchDiscriminator(**options, width=2, layers=1)

    def loss(self, **options: Any) -> Loss:
        return self.made

    def regularizers(self) -> tuple[()]:
        return ()


GREY, RGB = (1, 16, 16), (3, 16, 16)


def cyclegan(a: Shape = RGB, b: Shape = RGB, loss: Loss | None = None, **options: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(Bench(a, b, loss or Scores()), **options)


def pix2pix(a: Shape = RGB, b: Shape = GREY, loss: Loss | None = None, **options: Any) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(Bench(a, b, loss or CrossEntropy(), UNetTranslator), **options)


def batch_of(a: Shape, b: Shape, n: int = 3) -> Batch:
    torch.manual_seed(1)
    return {"a": torch.rand(n, *a) * 2 - 1, "b": torch.rand(n, *b) * 2 - 1}


def test_cyclegans_moves_are_the_papers_losses() -> None:
    game, batch = cyclegan(), batch_of(RGB, RGB)
    a, b = batch["a"], batch["b"]
    discriminators, generators = game.play(lambda: batch)
    fake_a, fake_b = game.b2a(b), game.a2b(a)

    def judged(judge: Any, images: Tensor, target: float) -> Tensor:
        return (judge(images) - target).square().mean()

    halved = [judged(game.judge_a, a, 1), judged(game.judge_a, fake_a, 0), judged(game.judge_b, b, 1)]
    halved.append(judged(game.judge_b, fake_b, 0))
    assert (discriminators.player, generators.player) == ("discriminators", "generators")
    torch.testing.assert_close(discriminators.loss, sum(halved) / 2)
    fooled = judged(game.judge_a, fake_a, 1) + judged(game.judge_b, fake_b, 1)
    cycle = l1_loss(game.b2a(fake_b), a) + l1_loss(game.a2b(fake_a), b)
    identity = l1_loss(game.a2b(b), b) + l1_loss(game.b2a(a), a)
    torch.testing.assert_close(generators.loss, fooled + 10 * cycle + 5 * identity)
    torch.testing.assert_close(generators.metrics["cycle"], cycle.detach())
    torch.testing.assert_close(generators.metrics["identity"], identity.detach())


def test_pix2pixs_moves_are_the_papers_losses() -> None:
    game, batch = pix2pix(), batch_of(RGB, GREY)
    game.eval()  # without the dropout, to compute the same again
    discriminator, generator = game.play(lambda: batch)
    given, wanted = batch["a"], batch["b"]
    made = game.generator(given)
    real = game.discriminator(torch.cat((given, wanted), dim=1))
    fake = game.discriminator(torch.cat((given, made), dim=1))
    torch.testing.assert_close(discriminator.loss, (softplus(-real).mean() + softplus(fake).mean()) / 2)
    torch.testing.assert_close(generator.loss, softplus(-fake).mean() + 100 * l1_loss(made, wanted))


@pytest.mark.parametrize("build", [cyclegan, pix2pix])
def test_a_move_sees_the_update_before_it(build: Any) -> None:
    losses = []
    for update in (False, True):
        game = build(RGB, RGB).eval()
        batch = batch_of(RGB, RGB)
        play = game.play(lambda batch=batch: batch)
        first = next(play)
        if update:
            with torch.no_grad():
                for parameter in game.players()[first.player].parameters():
                    parameter.mul_(3).add_(0.1)
        losses.append(next(play).loss)
    assert not torch.isclose(*losses)


@pytest.mark.parametrize("build", [cyclegan, pix2pix])
def test_each_move_gives_every_parameter_of_its_player_a_gradient(build: Any) -> None:
    game, batch = build(RGB, RGB), batch_of(RGB, RGB)
    for move in game.play(lambda: batch):
        parameters = dict(game.players()[move.player].named_parameters())
        move.loss.backward(inputs=list(parameters.values()))
        assert [name for name, p in parameters.items() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("build", [cyclegan, pix2pix])
def test_a_round_translates_each_image_once_for_both_moves(build: Any) -> None:
    game, batch = build(RGB, RGB), batch_of(RGB, RGB)
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    translators = [module for module in game.modules() if isinstance(module, Translator)]
    for translator in translators:
        translator.register_forward_hook(count)
    list(game.play(lambda: batch))
    assert calls == (6 if len(translators) == 2 else 1)  # there, back, and identity, in both directions


@pytest.mark.parametrize("build", [cyclegan, pix2pix])
def test_losses_that_compare_real_with_fake_get_both(build: Any) -> None:
    game = build(RGB, RGB, Paired())
    batch = batch_of(RGB, RGB)
    assert all(move.loss.isfinite() for move in game.play(lambda: batch))


@pytest.mark.parametrize("build", [cyclegan, pix2pix])
@pytest.mark.parametrize("shapes", [(GREY, RGB), (RGB, GREY)])
def test_domains_may_have_different_channels(build: Any, shapes: tuple[Shape, Shape]) -> None:
    options = {"identity": 0.0} if build is cyclegan else {}
    game, batch = build(*shapes, **options), batch_of(*shapes)
    assert all(move.loss.isfinite() for move in game.play(lambda: batch))
    for direction in game.directions:
        given, wanted = direction.split("2")
        assert game.translate(batch[given], direction).shape == batch[wanted].shape
    for made in game.preview(batch).values():
        assert made.samples.shape == (9, 3, 16, 16)
        assert made.columns == 3


def test_an_identity_term_between_different_shapes_is_refused() -> None:
    with pytest.raises(OptionError, match=r"these are a \(1, 16, 16\) and b \(3, 16, 16\)"):
        cyclegan(GREY, RGB)


def test_cyclegans_grids_are_image_translation_and_return() -> None:
    game, batch = cyclegan().eval(), batch_of(RGB, RGB)
    grids = game.preview(batch)
    assert list(grids) == ["a2b", "b2a"]
    a, there, back = (grids["a2b"].samples[place::3] for place in range(3))
    assert torch.equal(a, batch["a"])
    assert torch.equal(there, game.translate(a, "a2b"))
    assert torch.equal(back, game.translate(there, "b2a"))
    assert torch.equal(grids["b2a"].samples[1::3], game.translate(batch["b"], "b2a"))


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_pix2pix_learns_the_direction_it_is_told_and_no_other(direction: Any) -> None:
    game, batch = pix2pix(direction=direction).eval(), batch_of(RGB, GREY)
    given, wanted = direction.split("2")
    assert game.directions == (direction,)
    assert game.translate(batch[given], direction).shape == batch[wanted].shape
    assert torch.equal(
        game.preview(batch)[direction].samples.unflatten(0, (-1, 3))[:, 2, : batch[wanted].shape[1]], batch[wanted]
    )


def test_a_game_of_unequal_balance_is_as_written() -> None:
    game, batch = cyclegan(adversarial=0.0, cycle=3.0, identity=0.0), batch_of(RGB, RGB)
    generators = list(game.play(lambda: batch))[1]
    torch.testing.assert_close(generators.loss, 3 * generators.metrics["cycle"], check_stride=False)
    assert "identity" not in generators.metrics


RECIPES = {
    "cyclegan": """
[game]
name = "cyclegan"
pool = 5
[generator]
name = "resnet-translator"
blocks = 1
width = 2
[discriminator]
name = "patch"
layers = 1
width = 2
[loss]
name = "least-squares"
[dataset]
name = "unpaired-folders"
path = "pictures"
[optimizer.generators]
name = "adam"
[optimizer.discriminators]
name = "adam"
[schedule.generators]
name = "linear-decay"
[schedule.discriminators]
name = "linear-decay"
[train]
steps = 12
batch_size = 2
log_every = 4
sample_every = 5
samples = 2
checkpoint_every = 5
""",
    "pix2pix": """
[game]
name = "pix2pix"
[generator]
name = "unet-translator"
width = 2
[discriminator]
name = "patch"
layers = 1
width = 2
[loss]
name = "non-saturating"
[dataset]
name = "paired-folders"
path = "pictures"
[optimizer.generator]
name = "adam"
[optimizer.discriminator]
name = "adam"
[train]
steps = 12
batch_size = 2
log_every = 4
sample_every = 5
samples = 2
checkpoint_every = 5
""",
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0)
    for letter in "AB":
        folder = tmp_path / "data" / "pictures" / f"train{letter}"
        folder.mkdir(parents=True)
        for number in range(5):
            image = Image.fromarray(noise.integers(0, 256, (16, 16, 3), dtype=np.uint8))
            image.save(folder / f"{number}.png")
    return tmp_path / "data"


class StopAt:
    """Presses Ctrl-C once a row of that step is written."""

    def __init__(self, step: int) -> None:
        self.step = step

    @ganzoo.hookimpl
    def ganzoo_metrics(self, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def remains(run: Path) -> dict[str, Any]:
    """The last checkpoint's tensors, the rows apart from timings, and the grids' bytes."""
    last = max((run / "checkpoints").iterdir())
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {
        "checkpoint": last.name,
        "tensors": {path.name: load_file(path) for path in last.glob("*.safetensors")},
        "rows": [{k: v for k, v in row.items() if k not in ("seconds", "samples_per_second")} for row in rows],
        "grids": {path.name: path.read_bytes() for path in (run / "samples").iterdir()},
    }


@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_ends_as_if_it_had_not_stopped(name: str, pictures: Path, tmp_path: Path) -> None:
    recipe = tmp_path / f"{name}.toml"
    recipe.write_text(RECIPES[name])
    ganzoo.train(recipe, out=tmp_path / "straight", data_root=pictures, quiet=True, device="cpu")
    stopped = ganzoo.train(
        recipe, out=tmp_path / "stopped", data_root=pictures, observers=[StopAt(8)], quiet=True, device="cpu"
    )
    assert (stopped.status, stopped.step) == ("interrupted", 8)
    ganzoo.resume(tmp_path / "stopped", quiet=True, device="cpu")
    one, other = remains(tmp_path / "straight"), remains(tmp_path / "stopped")
    for file, tensors in one["tensors"].items():
        assert tensors.keys() == other["tensors"][file].keys()
        assert all(torch.equal(tensor, other["tensors"][file][key]) for key, tensor in tensors.items()), file
    assert {key: value for key, value in one.items() if key != "tensors"} == {
        key: value for key, value in other.items() if key != "tensors"
    }


def test_a_checkpoint_holds_networks_optimizers_and_the_pool_and_the_last_step_has_one(
    pictures: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "cyclegan.toml"
    recipe.write_text(RECIPES["cyclegan"])
    run = ganzoo.train(recipe, out=tmp_path / "run", data_root=pictures, quiet=True, device="cpu")
    assert run.checkpoint.name == "step-00000012"  # 12 is no multiple of checkpoint_every
    names = {path.name for path in run.checkpoint.glob("*.safetensors")}
    players = {"generators", "discriminators"}
    assert names == {f"{kind}{player}.safetensors" for player in players for kind in ("", "optimizer-")} | {
        "game.safetensors"
    }
    pool = load_file(run.checkpoint / "game.safetensors")
    assert pool["pool_a.images"].shape == (5, 3, 16, 16)
    assert pool["pool_a.images"].flatten(1).any(dim=1).all()
    assert int(pool["pool_b._extra_state"]) == 5
    assert torch.equal(run.game.get_buffer("pool_b.images"), pool["pool_b.images"])


def test_learning_rates_fall_in_a_line_from_the_middle_on_through_a_resume(pictures: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "cyclegan.toml"
    recipe.write_text(RECIPES["cyclegan"])
    every = ["train.checkpoint_every=1", "train.keep=100"]
    there = tmp_path / "run"
    ganzoo.train(
        recipe, out=there, data_root=pictures, overrides=every, observers=[StopAt(8)], quiet=True, device="cpu"
    )
    ganzoo.resume(there, quiet=True, device="cpu")
    states = [json.loads((path / "state.json").read_text()) for path in sorted((there / "checkpoints").iterdir())]
    expected = [2e-4 * min(1.0, 2 - step / 6) for step in range(12)]
    for player in ("generators", "discriminators"):
        rates = [state["optimizers"][player]["groups"][0]["lr"] for state in states[1:]]
        assert rates == pytest.approx(expected)


def test_grids_show_the_same_images_every_time(pictures: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "cyclegan.toml"
    recipe.write_text(RECIPES["cyclegan"])
    ganzoo.train(recipe, out=tmp_path / "run", data_root=pictures, quiet=True, device="cpu")
    grids = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "run" / "samples").glob("step-????????.png"))]
    assert len(grids) == 4  # steps 0, 5, 10 and the end
    with Image.open(pictures / "pictures" / "trainA" / "0.png") as first:
        for grid in grids:
            assert (grid[2:18, 2:18] == np.asarray(first)).all()  # the image itself
    assert len({grid[2:18, 20:36].tobytes() for grid in grids}) == 4  # its translation


def test_games_are_games() -> None:
    assert issubclass(CycleGAN, Game)
    assert issubclass(Pix2Pix, Game)
    assert CycleGAN.needs == Pix2Pix.needs == ("a", "b")
