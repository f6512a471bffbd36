"""What the papers (arXiv:1701.07875, arXiv:1704.00028) and the README say about the critic and its recipes."""

from __future__ import annotations

import inspect

import pytest
import torch
from ganzoo_wgan.networks import ConvCritic
from ganzoo_wgan.plugin import ganzoo_components
from torch import Tensor, nn

from ganzoo import OptionError, Shape

MNIST = (1, 28, 28)
norms = pytest.mark.parametrize("norm", ["none", "layer"])


def kinds(critic: ConvCritic) -> list[str]:
    return [type(layer).__name__ for layer in critic.network]


def test_the_critic_is_the_readmes() -> None:
    critic = ConvCritic(MNIST)
    assert kinds(critic) == ["Conv2d", "LeakyReLU"] * 2 + ["Flatten", "Linear"]
    size = sum(parameter.numel() for parameter in critic.parameters())
    assert size == 64 * 4 * 4 + 64 + 64 * 128 * 4 * 4 + 128 + 128 * 7 * 7 + 1 == 138_561


def test_widths_double_up_to_eightfold_and_sides_halve_down_to_four() -> None:
    critic = ConvCritic((3, 256, 256), width=2)
    convolutions = [layer for layer in critic.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [2, 4, 8, 16, 16, 16]
    assert all(layer.stride == (2, 2) for layer in convolutions)
    assert critic.network[-1].in_features == 16 * 4 * 4  # type: ignore[union-attr]


def test_layer_norm_stands_after_every_convolution_but_the_first() -> None:
    inner = ["Conv2d", "GroupNorm", "LeakyReLU"]
    assert kinds(ConvCritic((3, 64, 64), norm="layer")) == ["Conv2d", "LeakyReLU", *inner * 3, "Flatten", "Linear"]
    assert {layer.negative_slope for layer in ConvCritic(MNIST).modules() if isinstance(layer, nn.LeakyReLU)} == {0.2}


def test_layer_norm_is_over_all_features_of_a_sample() -> None:
    torch.manual_seed(0)
    critic = ConvCritic((3, 64, 64), width=4, norm="layer")
    seen: list[Tensor] = []
    layer = next(layer for layer in critic.modules() if isinstance(layer, nn.GroupNorm))
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output.detach().clone()))
    critic(torch.randn(5, 3, 64, 64))
    torch.testing.assert_close(seen[0].flatten(1).mean(1), torch.zeros(5), rtol=0, atol=1e-5)
    torch.testing.assert_close(seen[0].flatten(1).std(1, correction=0), torch.ones(5), rtol=0, atol=1e-2)


@norms
def test_there_is_no_batch_norm_and_a_score_depends_on_its_own_sample_alone(norm: str) -> None:
    torch.manual_seed(0)
    critic = ConvCritic(MNIST, width=8, norm=norm).double()  # type: ignore[arg-type]
    samples = torch.randn(8, *MNIST, dtype=torch.float64)
    assert not any(isinstance(module, nn.modules.batchnorm._NormBase) for module in critic.modules())
    assert ConvCritic.per_sample
    alone = torch.cat([critic(sample[None]) for sample in samples])
    torch.testing.assert_close(critic(samples), alone, rtol=1e-10, atol=1e-12)


@norms
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 33, 50), (3, 48, 48), (4, 64, 64)])
def test_images_of_any_size_from_eight_on_get_one_score_each(shape: Shape, norm: str) -> None:
    torch.manual_seed(0)
    critic = ConvCritic(shape, width=2, norm=norm)  # type: ignore[arg-type]
    samples = torch.randn(3, *shape, requires_grad=True)
    scores = critic(samples)
    assert scores.shape == (3,)
    (slope,) = torch.autograd.grad(scores.sum(), samples)
    assert (slope != 0).any(0).float().mean() > 0.9  # no row or column of an odd size is left out


@pytest.mark.parametrize("shape", [(2,), (1, 7, 28), (28, 28)])
def test_samples_that_do_not_fit_are_told_along_with_those_that_do(shape: Shape) -> None:
    with pytest.raises(OptionError) as caught:
        ConvCritic(shape)
    assert caught.value.what == f"it takes images (channels, height, width) from 8 x 8 on, and the data hold {shape}."
    assert '"mlp"' in caught.value.remedy


def test_the_plan_names_the_sizes_of_the_feature_maps() -> None:
    critic = ConvCritic((3, 37, 53), width=2)
    assert critic.plan() == "37x53 -> 18x26 -> 9x13 -> 4x6 -> score"
    sizes: list[str] = []
    for layer in critic.network:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: sizes.append("x".join(map(str, output.shape[2:]))))
    critic(torch.zeros(1, 3, 37, 53))
    assert critic.plan() == " -> ".join(["37x53", *sizes, "score"])


def test_a_critic_of_a_fixed_seed_has_the_weights_that_it_always_had() -> None:
    torch.manual_seed(3)
    critic = ConvCritic((3, 28, 28), width=2)
    assert list(critic.state_dict()) == [f"network.{n}.{what}" for n in (0, 2, 5) for what in ("weight", "bias")]
    total = sum(tensor.double().abs().sum().item() for tensor in critic.state_dict().values())
    assert total == pytest.approx(26.1536052, rel=1e-6)


@norms
def test_every_parameter_gets_a_gradient(norm: str) -> None:
    torch.manual_seed(0)
    critic = ConvCritic((3, 32, 32), width=4, norm=norm)  # type: ignore[arg-type]
    critic(torch.randn(4, 3, 32, 32)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in critic.parameters())


def test_the_registered_target_exists_and_takes_the_documented_options() -> None:
    [critic] = ganzoo_components()
    assert (critic.shelf, critic.name, critic.paper) == ("discriminator", "wgan", "arXiv:1704.00028")
    assert set(inspect.signature(critic.load()).parameters) == {
        "sample_shape",
        "width",
        "norm",
        "conditional",
        "n_classes",
    }


@norms
def test_a_conditional_critic_scores_each_sample_by_its_own_label_alone(norm: str) -> None:
    torch.manual_seed(0)
    critic = ConvCritic(MNIST, width=8, norm=norm, conditional=True, n_classes=10).double()  # type: ignore[arg-type]
    assert critic.conditions == ("label",)
    samples, label = torch.randn(8, *MNIST, dtype=torch.float64), torch.arange(8)
    alone = torch.cat([critic(samples[[row]], label[[row]]) for row in range(8)])
    torch.testing.assert_close(critic(samples, label), alone)
    assert (critic(samples, label) != critic(samples, label + 1)).all()


def test_a_conditional_critic_needs_classes() -> None:
    with pytest.raises(OptionError, match="the data have none"):
        ConvCritic(MNIST, conditional=True)
