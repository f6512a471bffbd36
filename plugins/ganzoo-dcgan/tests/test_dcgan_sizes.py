"""Images of any size: which feature maps they get, and that sizes of 4 or 7 times a power of two stay as they were."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from ganzoo_dcgan.networks import ConvDiscriminator, ConvGenerator, initialise
from torch import Tensor, nn

from ganzoo import Shape

SQUARES = {start * 2**doublings: (start, doublings) for start in (4, 7) for doublings in range(1, 6)}
OTHERS = [(9, 9), (28, 40), (37, 53), (48, 48), (57, 63), (65, 65), (100, 60), (8, 50), (218, 178)]
sizes = pytest.mark.parametrize("size", OTHERS, ids=str)
colours = pytest.mark.parametrize("channels", [1, 3, 4])


def generator_of_squares(shape: Shape, latent_dim: int, width: int) -> nn.Sequential:
    """The generator as it was when it took squares of 4 or 7 times a power of two alone."""
    start, doublings = SQUARES[shape[1]]
    widths = [width * min(2**layer, 8) for layer in range(doublings)][::-1]
    layers: list[nn.Module] = [nn.Linear(latent_dim, widths[0] * start * start, bias=False)]
    layers += [nn.Unflatten(1, (widths[0], start, start)), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for inputs, outputs in pairwise(widths):
        layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    layers += [nn.ConvTranspose2d(widths[-1], shape[0], 4, stride=2, padding=1), nn.Tanh()]
    return nn.Sequential(*layers).apply(initialise)


def discriminator_of_squares(shape: Shape, width: int) -> nn.Sequential:
    """The discriminator as it was when it took squares of 4 or 7 times a power of two alone."""
    end, halvings = SQUARES[shape[1]]
    widths = [width * min(2**layer, 8) for layer in range(halvings)]
    layers: list[nn.Module] = [nn.Conv2d(shape[0], width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    for inputs, outputs in pairwise(widths):
        layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    layers += [nn.Flatten(), nn.Linear(widths[-1] * end * end, 1)]
    return nn.Sequential(*layers).apply(initialise)


def weights(network: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in network.state_dict().items()}


@colours
@pytest.mark.parametrize("side", SQUARES)
def test_squares_of_4_or_7_times_a_power_of_two_have_the_weights_and_outputs_that_they_always_had(
    side: int, channels: int
) -> None:
    shape, latents, images = (channels, side, side), torch.randn(2, 5), torch.rand(2, channels, side, side) * 2 - 1
    torch.manual_seed(3)
    before = [generator_of_squares(shape, 5, 2), discriminator_of_squares(shape, 2)]
    torch.manual_seed(3)
    after = [ConvGenerator(shape, latent_dim=5, width=2), ConvDiscriminator(shape, width=2)]
    for old, new, given in zip(before, after, (latents, images), strict=True):
        expected, found = weights(old, "network."), weights(new)
        assert list(expected) == list(found)
        assert all(torch.equal(expected[name], found[name]) for name in found)
        assert torch.equal(old(given).flatten(), new(given).flatten())


def test_networks_of_a_fixed_seed_have_the_weights_of_ganzoo_0_1() -> None:
    totals = []
    for make in (ConvGenerator, ConvDiscriminator):
        torch.manual_seed(3)
        totals.append(sum(tensor.double().abs().sum().item() for tensor in make((3, 28, 28), width=2).parameters()))
    assert totals == pytest.approx([321.601606, 10.7286989], rel=1e-6)


@colours
@sizes
def test_any_size_from_eight_on_is_generated_and_scored(size: tuple[int, int], channels: int) -> None:
    torch.manual_seed(0)
    shape = (channels, *size)
    generator, discriminator = ConvGenerator(shape, latent_dim=5, width=2), ConvDiscriminator(shape, width=2)
    images = generator(generator.latents(3))
    assert images.shape == (3, *shape)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (3,)


@sizes
def test_no_row_or_column_is_left_out(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    generator, discriminator = ConvGenerator((1, *size), width=4), ConvDiscriminator((1, *size), width=4)
    images = generator(generator.latents(8)).detach().requires_grad_()
    assert (images.std(0) > 0).all()  # every pixel depends on the latents
    (slope,) = torch.autograd.grad(discriminator(images).square().sum(), images)
    assert (slope != 0).any(0).all()  # and every pixel counts


@sizes
def test_the_plan_names_the_feature_maps_that_there_are(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    shape = (3, *size)
    generator, discriminator = ConvGenerator(shape, width=2), ConvDiscriminator(shape, width=2)
    seen: list[str] = []

    def note(_: nn.Module, __: object, output: Tensor) -> None:
        seen.append("x".join(map(str, output.shape[2:])))

    for layer in (*generator.network, *discriminator.network):
        if isinstance(layer, nn.Unflatten | nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(note)
    images = generator(generator.latents(2))
    assert generator.plan() == " -> ".join(["latents", *seen])
    seen.clear()
    discriminator(images)
    assert discriminator.plan() == " -> ".join(["x".join(map(str, size)), *seen, "score"])


def test_plans_of_the_docs() -> None:
    assert ConvGenerator((3, 37, 53), width=2).plan() == "latents -> 5x7 -> 10x14 -> 19x27 -> 37x53"
    assert ConvDiscriminator((3, 37, 53), width=2).plan() == "37x53 -> 19x27 -> 10x14 -> 5x7 -> score"
    assert ConvGenerator((1, 28, 28), width=2).plan() == "latents -> 7x7 -> 14x14 -> 28x28"


def test_the_smallest_feature_maps_have_a_shorter_side_of_four_to_seven() -> None:
    with torch.device("meta"):
        for side in range(8, 200):
            start = ConvGenerator((1, side, 2 * side), width=1).sizes[0]
            assert 4 <= start[0] <= 7
            assert 2 * start[0] - 1 <= start[1] <= 2 * start[0]


def test_an_odd_size_has_second_derivatives() -> None:
    torch.manual_seed(0)
    networks = nn.Sequential(ConvGenerator((1, 9, 13), latent_dim=3, width=1), ConvDiscriminator((1, 9, 13), width=1))
    networks.double().eval()  # batch norm by its running values: rows are independent
    latents = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    # ReLU has a kink at 0 and a second derivative of 0 elsewhere; tanh's is what is compared.
    assert torch.autograd.gradgradcheck(networks, latents, eps=1e-6, atol=1e-7)


def test_an_odd_size_runs_in_bf16_and_on_the_meta_device() -> None:
    torch.manual_seed(0)
    generator, discriminator = ConvGenerator((4, 37, 53), width=2), ConvDiscriminator((4, 37, 53), width=2)
    latents = generator.latents(2)
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(latents)
        assert images.shape == (2, 4, 37, 53)
        assert discriminator(images).isfinite().all()
    assert discriminator.to("meta")(generator.to("meta")(latents.to("meta"))).shape == (2,)
