"""What the paper (arXiv:1511.06434) and the README say about the networks, and what popular scripts get wrong."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from ganzoo_dcgan.networks import ConvDiscriminator, ConvGenerator
from ganzoo_dcgan.plugin import ganzoo_components
from torch import nn

from ganzoo import OptionError, Shape

MNIST, COLOUR = (1, 28, 28), (3, 64, 64)
NETWORKS = {"generator": ConvGenerator, "discriminator": ConvDiscriminator}
both = pytest.mark.parametrize("network", NETWORKS)


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.network]


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_figure_1_a_width_of_128_is_the_papers_generator_for_64_pixels() -> None:
    with torch.device("meta"):
        generator = ConvGenerator(COLOUR, width=128)
    projection, *convolutions = [m for m in generator.modules() if isinstance(m, nn.Linear | nn.ConvTranspose2d)]
    assert (projection.in_features, projection.out_features) == (100, 1024 * 4 * 4)
    channels = [(m.in_channels, m.out_channels) for m in convolutions]
    assert channels == [(1024, 512), (512, 256), (256, 128), (128, 3)]


def test_strided_convolutions_take_the_place_of_pooling() -> None:
    for network in (ConvGenerator(COLOUR, width=4), ConvDiscriminator(COLOUR, width=4)):
        strided = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        assert len(strided) == 4
        assert all(m.stride == (2, 2) and m.kernel_size == (4, 4) for m in strided)
        assert not any("Pool" in kind or "Upsample" in kind for kind in kinds(network))


def test_batch_norm_stands_everywhere_but_at_the_generators_output_and_the_discriminators_input() -> None:
    inner = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    projected = ["Linear", "Unflatten", "BatchNorm2d", "ReLU"]
    assert kinds(ConvGenerator(COLOUR, width=4)) == [*projected, *inner * 3, "ConvTranspose2d", "Tanh"]
    first, inner, last = ["Conv2d", "LeakyReLU"], ["Conv2d", "BatchNorm2d", "LeakyReLU"], ["Flatten", "Linear"]
    assert kinds(ConvDiscriminator(COLOUR, width=4)) == [*first, *inner * 3, *last]


@both
def test_batch_norm_has_torchs_epsilon_and_not_the_popular_point_eight(network: str) -> None:
    norms = [m for m in NETWORKS[network](COLOUR, width=4).modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert {(m.eps, m.momentum) for m in norms} == {(nn.BatchNorm2d(1).eps, nn.BatchNorm2d(1).momentum)}


def test_the_discriminators_activations_leak_a_fifth() -> None:
    slopes = [m.negative_slope for m in ConvDiscriminator(COLOUR).modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 4


@both
def test_every_layer_begins_with_normal_weights_of_two_hundredths_linear_ones_and_batch_norm_too(network: str) -> None:
    torch.manual_seed(0)
    layers = [m for m in NETWORKS[network](COLOUR).modules() if getattr(m, "weight", None) is not None]
    assert {type(m) for m in layers} >= {nn.Linear, nn.BatchNorm2d}
    for layer in layers:
        mean = 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0
        n = layer.weight.numel()
        # The mean of n has a standard error of 0.02 / sqrt(n), their spread one of 0.02 / sqrt(2n): five of each.
        assert abs(layer.weight.mean().item() - mean) < 5 * 0.02 / math.sqrt(n)
        assert abs(layer.weight.std().item() - 0.02) < 5 * 0.02 / math.sqrt(2 * n)
        assert layer.bias is None or not layer.bias.any()


def test_the_networks_have_the_parameters_of_the_readme() -> None:
    generator = [100 * 128 * 7 * 7, 2 * 128, 128 * 64 * 4 * 4, 2 * 64, 64 * 4 * 4 + 1]
    assert size(ConvGenerator(MNIST)) == sum(generator) == 759_681
    discriminator = [64 * 4 * 4 + 64, 64 * 128 * 4 * 4, 2 * 128, 128 * 7 * 7 + 1]
    assert size(ConvDiscriminator(MNIST)) == sum(discriminator) == 138_689


@both
@pytest.mark.parametrize("shape", [(2,), (1, 7, 7), (1, 4, 4), (3, 64, 7), (64, 64), (3, 8, 16, 16)])
def test_sizes_that_do_not_fit_are_told_along_with_those_that_do(network: str, shape: Shape) -> None:
    with pytest.raises(OptionError) as caught:
        NETWORKS[network](shape)
    expected = f"it takes images (channels, height, width) from 8 x 8 on, and the data hold {shape}."
    assert caught.value.what == expected
    assert "dataset.size = 64" in caught.value.remedy
    assert '"mlp"' in caught.value.remedy


def test_images_stay_in_range_however_large_the_latents() -> None:
    torch.manual_seed(0)
    generator = ConvGenerator(MNIST, width=8).eval()
    images = generator(1e4 * generator.latents(16))
    assert images.abs().max() <= 1
    assert images.abs().max() > 0.99  # tanh is what holds them, not small weights


def test_scores_are_logits_of_either_sign() -> None:
    torch.manual_seed(0)
    scores = ConvDiscriminator(MNIST, width=8)(torch.randn(64, *MNIST))
    assert scores.min() < 0 < scores.max()
    assert ConvDiscriminator(MNIST, width=8)(1e3 * torch.ones(2, *MNIST)).shape == (2,)


def test_a_score_depends_on_its_batch_and_the_network_says_so() -> None:
    torch.manual_seed(0)
    discriminator, samples = ConvDiscriminator(MNIST, width=4), torch.randn(8, *MNIST)
    assert not ConvDiscriminator.per_sample
    assert not torch.allclose(discriminator(samples)[:4], discriminator(samples[:4]), rtol=1e-3, atol=1e-6)


@both
def test_every_parameter_gets_a_gradient(network: str) -> None:
    torch.manual_seed(0)
    made = NETWORKS[network](MNIST, width=4)
    given = made.latents(4) if isinstance(made, ConvGenerator) else torch.randn(4, *MNIST)
    made(given).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in made.parameters())


def test_registered_targets_exist_and_take_the_documented_options() -> None:
    options = {made.shelf: set(inspect.signature(made.load()).parameters) for made in ganzoo_components()}
    both = {"sample_shape", "width", "conditional", "n_classes"}
    assert options == {"generator": both | {"latent_dim"}, "discriminator": both}
    assert {made.paper for made in ganzoo_components()} == {"arXiv:1511.06434"}


def test_unconditional_networks_have_the_layers_weights_alone() -> None:
    for network in (ConvGenerator(MNIST, width=4), ConvDiscriminator(MNIST, width=4)):
        assert network.conditions == ()
        assert all(name.startswith("network.") for name in network.state_dict())


@pytest.mark.parametrize("shape", [MNIST, COLOUR, (3, 37, 53)])
def test_conditional_networks_take_a_label_and_need_it(shape: Shape) -> None:
    torch.manual_seed(0)
    generator = ConvGenerator(shape, width=4, conditional=True, n_classes=4).eval()
    discriminator = ConvDiscriminator(shape, width=4, conditional=True, n_classes=4).eval()
    assert generator.conditions == discriminator.conditions == ("label",)
    latents, samples = generator.latents(1).repeat(4, 1), torch.randn(1, *shape).repeat(4, 1, 1, 1)
    made, scores = generator(latents, torch.arange(4)), discriminator(samples, torch.arange(4))
    assert (made.shape, scores.shape) == ((4, *shape), (4,))
    assert len(made.flatten(1).unique(dim=0)) == len(scores.unique()) == 4


@pytest.mark.parametrize("latent_dim", [4, 100])
def test_a_label_begins_with_a_tenth_of_the_latents_variance(latent_dim: int) -> None:
    """More of it, and the generator learned one image a class. 2,000 classes measure a variance to 2 %."""
    torch.manual_seed(0)
    generator = ConvGenerator(MNIST, latent_dim=latent_dim, width=4, conditional=True, n_classes=2000)
    assert generator.embedding is not None
    variance = generator.embedding.weight.square().sum(dim=1).mean().item()
    assert variance == pytest.approx(0.1 * latent_dim, rel=0.1)


def test_a_conditional_score_is_the_projection_of_eq_3_of_arxiv_1802_05637() -> None:
    torch.manual_seed(0)
    discriminator = ConvDiscriminator(MNIST, width=4, conditional=True, n_classes=10).eval()
    samples, label = torch.randn(5, *MNIST), torch.tensor([3, 1, 4, 1, 5])
    features = discriminator.network[:-1](samples)
    embedding = discriminator.embedding
    assert embedding is not None
    assert embedding.weight.std().item() == pytest.approx(0.02, rel=0.1)
    psi = discriminator.network[-1](features).squeeze(1)
    torch.testing.assert_close(discriminator(samples, label), psi + (embedding.weight[label] * features).sum(1))


@both
def test_conditional_networks_need_classes(network: str) -> None:
    with pytest.raises(OptionError, match="the data have none") as refused:
        NETWORKS[network](MNIST, conditional=True)
    assert "conditional = false" in refused.value.remedy
