"""What the README and the paper (arXiv:1406.2661) say about the networks."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import torch
from ganzoo_vanilla.networks import MLPDiscriminator, MLPGenerator
from ganzoo_vanilla.plugin import ganzoo_components
from torch import nn

from ganzoo import OptionError

MNIST = (1, 28, 28)


def widths(network: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_features, m.out_features) for m in network.modules() if isinstance(m, nn.Linear)]


def size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_generator_has_the_layers_and_parameters_of_its_readme() -> None:
    generator = MLPGenerator(MNIST)
    assert widths(generator) == [(100, 256), (256, 512), (512, 1024), (1024, 784)]
    assert size(generator) == 100 * 256 + 256 + 256 * 512 + 512 + 512 * 1024 + 1024 + 1024 * 784 + 784 == 1_486_352
    assert not any(isinstance(module, nn.BatchNorm1d) for module in generator.modules())


def test_the_discriminator_has_the_layers_and_parameters_of_its_readme() -> None:
    discriminator = MLPDiscriminator(MNIST)
    assert widths(discriminator) == [(784, 512), (512, 256), (256, 1)]
    assert size(discriminator) == 784 * 512 + 512 + 512 * 256 + 256 + 256 + 1 == 533_505


@pytest.mark.parametrize("network", [MLPGenerator(MNIST), MLPDiscriminator(MNIST)], ids=["generator", "discriminator"])
def test_hidden_activations_leak_a_fifth(network: nn.Module) -> None:
    hidden = [module for module in network.modules() if isinstance(module, nn.LeakyReLU)]
    assert len(hidden) == len(widths(network)) - 1
    assert {module.negative_slope for module in hidden} == {0.2}


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2,), (1, 5, 7)])
def test_samples_have_the_datas_shape_and_get_one_score_each(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    generator, discriminator = MLPGenerator(shape, latent_dim=3, hidden=(5,)), MLPDiscriminator(shape, hidden=(4,))
    samples = generator(generator.latents(6))
    assert samples.shape == (6, *shape)
    assert discriminator(samples).shape == (6,)


def test_images_stay_in_range_however_large_the_latents() -> None:
    torch.manual_seed(0)
    generator = MLPGenerator(MNIST)
    images = generator(1e4 * generator.latents(16))
    assert images.abs().max() <= 1
    assert images.abs().max() > 0.99  # tanh is what holds them, not small weights


def test_points_may_leave_the_unit_square() -> None:
    torch.manual_seed(0)
    generator = MLPGenerator((2,), output="none")
    assert generator(1e4 * generator.latents(16)).abs().max() > 1


def test_scores_are_logits_of_either_sign() -> None:
    torch.manual_seed(0)
    scores = MLPDiscriminator(MNIST)(1e3 * torch.randn(64, *MNIST))
    assert scores.min() < -1
    assert scores.max() > 1


def test_a_score_does_not_depend_on_the_rest_of_the_batch() -> None:
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(MNIST).double()
    samples = torch.randn(8, *MNIST, dtype=torch.float64)
    alone = torch.cat([discriminator(sample[None]) for sample in samples])
    assert MLPDiscriminator.per_sample
    torch.testing.assert_close(discriminator(samples), alone, rtol=1e-12, atol=1e-12)


def test_batch_norm_stands_before_each_hidden_activation() -> None:
    kinds = [type(module).__name__ for module in MLPGenerator(MNIST, hidden=(8, 8), batch_norm=True).network]
    assert kinds == ["Linear", "BatchNorm1d", "LeakyReLU"] * 2 + ["Linear", "Tanh"]


def test_dropout_makes_scores_random_in_training_only() -> None:
    torch.manual_seed(0)
    discriminator, samples = MLPDiscriminator(MNIST, dropout=0.5), torch.randn(4, *MNIST)
    assert not torch.equal(discriminator(samples), discriminator(samples))
    discriminator.eval()
    assert torch.equal(discriminator(samples), discriminator(samples))


@pytest.mark.parametrize("made", [MLPGenerator, MLPDiscriminator])
def test_every_parameter_gets_a_gradient(made: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = made(MNIST)
    given = network.latents(4) if isinstance(network, MLPGenerator) else torch.randn(4, *MNIST)
    network(given).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


def test_weights_start_as_pytorchs_default_has_them() -> None:
    torch.manual_seed(3)
    generator = MLPGenerator(MNIST)
    torch.manual_seed(3)
    plain = [nn.Linear(inputs, outputs) for inputs, outputs in widths(generator)]
    linear = [module for module in generator.modules() if isinstance(module, nn.Linear)]
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(linear, plain, strict=True))


def test_registered_targets_exist_and_take_the_documented_options() -> None:
    options = {
        component.shelf: set(inspect.signature(component.load()).parameters) for component in ganzoo_components()
    }
    assert options == {
        "generator": {"sample_shape", "latent_dim", "hidden", "output", "batch_norm", "conditional", "n_classes"},
        "discriminator": {"sample_shape", "hidden", "dropout", "conditional", "n_classes"},
    }


def test_unconditional_networks_are_what_they_were_before_there_were_conditions() -> None:
    """The same weights under the same names, drawn the same way."""
    torch.manual_seed(0)
    generator, discriminator = MLPGenerator(MNIST), MLPDiscriminator(MNIST)
    assert (generator.conditions, discriminator.conditions) == ((), ())
    torch.manual_seed(0)
    for network, pairs in ((generator, widths(generator)), (discriminator, widths(discriminator))):
        again = [nn.Linear(*pair) for pair in pairs]
        theirs = [tensor for name, tensor in network.state_dict().items()]
        ours = [tensor for layer in again for tensor in (layer.weight, layer.bias)]
        assert all(name.startswith("network.") for name in network.state_dict())
        assert all(torch.equal(one, other) for one, other in zip(theirs, ours, strict=True))


@pytest.mark.parametrize("shape", [MNIST, (2,)])
def test_conditional_networks_take_a_label_and_need_it(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    generator = MLPGenerator(shape, latent_dim=3, hidden=(5,), conditional=True, n_classes=4)
    discriminator = MLPDiscriminator(shape, hidden=(6,), conditional=True, n_classes=4)
    assert generator.conditions == discriminator.conditions == ("label",)
    latents, samples = generator.latents(1).repeat(4, 1), torch.randn(1, *shape).repeat(4, *[1] * len(shape))
    made, scores = generator(latents, torch.arange(4)), discriminator(samples, torch.arange(4))
    assert (made.shape, scores.shape) == ((4, *shape), (4,))
    assert len(made.flatten(1).unique(dim=0)) == len(scores.unique()) == 4
    torch.testing.assert_close(made[2], generator(latents, torch.full((4,), 2))[0])


def test_a_label_begins_with_a_tenth_of_the_latents_variance() -> None:
    torch.manual_seed(0)
    generator = MLPGenerator(MNIST, latent_dim=40, conditional=True, n_classes=2000)
    assert generator.embedding is not None
    assert generator.embedding.weight.square().sum(dim=1).mean().item() == pytest.approx(4, rel=0.1)


def test_a_conditional_score_is_the_projection_of_eq_3_of_arxiv_1802_05637() -> None:
    torch.manual_seed(0)
    discriminator = MLPDiscriminator(MNIST, conditional=True, n_classes=10)
    samples, label = torch.randn(5, *MNIST), torch.tensor([3, 1, 4, 1, 5])
    features = discriminator.network[:-1](samples)
    embedding = discriminator.embedding
    assert embedding is not None
    psi = discriminator.network[-1](features).squeeze(1)
    torch.testing.assert_close(discriminator(samples, label), psi + (embedding.weight[label] * features).sum(1))


@pytest.mark.parametrize("network", [MLPGenerator, MLPDiscriminator])
def test_conditional_networks_need_classes(network: type[nn.Module]) -> None:
    with pytest.raises(OptionError, match="the data have none") as refused:
        network(MNIST, conditional=True)
    assert "conditional = false" in refused.value.remedy


def test_registering_imports_no_torch() -> None:
    probe = "import sys, ganzoo_vanilla.plugin as p; p.ganzoo_components(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
