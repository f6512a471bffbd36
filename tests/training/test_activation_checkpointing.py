"""What is computed twice is the same the second time: a run that saves memory ends with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.runs.checkpoint import Checkpoint
from ganzoo.training.activation_checkpointing import checkpoint_activations, networks_of
from ganzoo.training.runners.choice import choose_runner
from ganzoo.training.state import Training

Make = Callable[..., Training]
Play = Callable[[Training, int], Checkpoint]
Gap = Callable[[Checkpoint, Checkpoint], float]

SMALL = ("generator.width=4", "discriminator.width=4", "train.batch_size=2")


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (None, ("discriminator.dropout=0.3", "generator.batch_norm=true", "ema.every=2")),
        (None, ("game.n_critic=2", 'regularizer=[{name="gradient-penalty"}]')),
        ("dcgan_mnist", ('dataset.name="glyphs"', *SMALL)),
        ("pix2pix_glyphs", SMALL),
    ],
    ids=["dropout and batch norm", "gradient penalty", "convolutions", "translation"],
)
def test_a_run_that_computes_activations_twice_ends_the_same(
    points: Path, training_of: Make, play: Play, largest_gap: Gap, recipe: str | None, settings: tuple[str, ...]
) -> None:
    runs = []
    for twice in ("false", "true"):
        training = training_of(recipe or points, *settings, f"train.checkpoint_activations={twice}")
        runs.append(play(training, 4))
    assert largest_gap(*runs) == 0.0
    assert runs[0].state["random"] == runs[1].state["random"]


def kept(network: nn.Module, samples: Tensor) -> int:
    """The bytes that a forward pass keeps for the way back, its weights apart."""
    weights = {parameter.data_ptr() for parameter in network.parameters()}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            sizes[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = network(samples)
    assert output.requires_grad
    return sum(sizes.values())


def test_next_to_nothing_is_kept_for_the_way_back(points: Path, training_of: Make) -> None:
    plain = training_of(points, "discriminator.hidden=[256, 256]")
    light = training_of(points, "discriminator.hidden=[256, 256]", "train.checkpoint_activations=true")
    samples = torch.randn(64, 2)
    before, after = (kept(training.game.get_submodule("discriminator"), samples) for training in (plain, light))
    assert before > 64 * 256 * 4  # at least a layer's
    assert after < before / 10


def test_vectors_of_spectral_norm_are_those_of_the_first_time() -> None:
    def gradients(twice: bool) -> list[Tensor]:
        torch.manual_seed(0)
        network = nn.Sequential(spectral_norm(nn.Linear(4, 8)), nn.Dropout(0.5), spectral_norm(nn.Linear(8, 1)))
        if twice:
            checkpoint_activations(network)
        first, second = network(torch.ones(3, 4)).sum(), network(torch.ones(3, 4)).sum()
        (first * second).backward()
        return [*(each.grad for each in network.parameters() if each.grad is not None), *network.buffers()]

    assert all(torch.equal(one, other) for one, other in zip(gradients(False), gradients(True), strict=True))


def test_every_network_of_a_game_is_found_once(training_of: Make) -> None:
    training = training_of("cyclegan_glyphs", *SMALL, "train.checkpoint_activations=true")
    assert [type(network).__name__ for network in networks_of(training.game)] == [
        *["ResNetTranslator"] * 2,
        *["PatchDiscriminator"] * 2,
    ]
    assert "eager alone computes activations a second time" in choose_runner(training).reason
