"""What the papers (arXiv:1703.10593, arXiv:1611.07004) and the README say about the networks."""

from __future__ import annotations

import copy
import tomllib
from importlib.resources import files
from typing import Any

import pytest
import torch
from ganzoo_cyclegan.networks import PatchDiscriminator, Residual, ResNetTranslator, UNetTranslator
from torch import Tensor, nn

from ganzoo import OptionError, Translator

RGB = (3, 256, 256)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def convolutions(network: nn.Module) -> list[tuple[str, int, int, int, int]]:
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return [
        (type(m).__name__.removesuffix("2d"), m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in network.modules()
        if isinstance(m, kinds)
    ]


@pytest.mark.parametrize(("size", "blocks"), [(64, 6), (128, 6), (256, 9), (512, 9)])
def test_the_resnet_has_the_papers_layers_and_as_many_blocks_as_the_size_asks_for(size: int, blocks: int) -> None:
    with torch.device("meta"):
        network = ResNetTranslator((3, size, size))
    assert convolutions(network) == [
        ("Conv", 3, 64, 7, 1),
        ("Conv", 64, 128, 3, 2),
        ("Conv", 128, 256, 3, 2),
        *[("Conv", 256, 256, 3, 1)] * (2 * blocks),
        ("ConvTranspose", 256, 128, 3, 2),
        ("ConvTranspose", 128, 64, 3, 2),
        ("Conv", 64, 3, 7, 1),
    ]
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(nn.InstanceNorm2d) == 5 + 2 * blocks
    assert kinds.count(nn.ReflectionPad2d) == 2 + 2 * blocks
    assert isinstance(network, Translator)
    assert not hasattr(network, "latent_dim")


def test_the_unet_has_the_papers_layers() -> None:
    with torch.device("meta"):
        network = UNetTranslator(RGB)
    down = [64, 128, 256, 512, 512, 512, 512, 512]
    up = [512, 512, 512, 512, 256, 128, 64, 3]
    joined = [512, 1024, 1024, 1024, 1024, 512, 256, 128]  # what was remembered beside what comes up
    assert [conv[1:] for conv in convolutions(network.down)] == [
        (before, after, 4, 2) for before, after in zip([3, *down], down, strict=False)
    ]
    assert [conv[1:] for stage in reversed(network.up) for conv in convolutions(stage)] == [
        (before, after, 4, 2) for before, after in zip(joined, up, strict=True)
    ]
    dropped = [any(isinstance(layer, nn.Dropout) for layer in stage) for stage in reversed(network.up)]
    assert dropped == [True] * 3 + [False] * 5
    normed = [any(isinstance(layer, nn.InstanceNorm2d) for layer in stage) for stage in network.down]
    assert normed == [False, *[True] * 6, False]


@pytest.mark.parametrize(("size", "depth"), [(28, 4), (32, 5), (64, 6), (96, 6), (256, 8), (1024, 8)])
def test_the_unets_depth_follows_from_the_size(size: int, depth: int) -> None:
    with torch.device("meta"):
        assert UNetTranslator((1, size, size)).depth == depth


@pytest.mark.parametrize("kind", [ResNetTranslator, UNetTranslator])
@pytest.mark.parametrize("size", [(32, 32), (31, 29), (33, 45), (17, 64)])
def test_what_comes_out_has_the_size_of_what_went_in_and_the_other_domains_channels(
    kind: type[Translator], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = kind((3, 32, 32), input_shape=(1, 32, 32), width=2)  # type: ignore[call-arg]
    images = torch.rand(2, 1, *size) * 2 - 1
    made = network.eval()(images)
    assert made.shape == (2, 3, *size)
    assert made.abs().max() <= 1


def test_an_odd_size_is_continued_by_reflection() -> None:
    torch.manual_seed(0)
    network = ResNetTranslator((1, 16, 16), width=2, blocks=1)
    images = torch.rand(1, 1, 15, 14)
    whole = torch.cat((images, images[:, :, 13:14]), dim=2)
    whole = torch.cat((whole, whole[:, :, :, 12:13], whole[:, :, :, 11:12]), dim=3)
    torch.testing.assert_close(network(images), network(whole)[:, :, :15, :14])


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: ResNetTranslator((2,)), "this network is for images"),
        (lambda: ResNetTranslator((1, 16, 16), input_shape=(1, 8, 8)), "a translator keeps the size of an image"),
        (lambda: ResNetTranslator((1, 4, 4)), "images of 4 x 4 are too small"),
        (lambda: ResNetTranslator((1, 16, 16), width=2)(torch.zeros(1, 1, 16, 4)), "images of 4 x 16 are too small"),
        (lambda: UNetTranslator((1, 16, 16), depth=5), "a depth of 5 is too much for images of 16 pixels"),
        (lambda: UNetTranslator((1, 16, 16), width=2)(torch.zeros(1, 1, 8, 8)), "images of 8 x 8 are too small"),
        (lambda: PatchDiscriminator((1, 16, 16)), "3 layers leave nothing of images of 16 x 16"),
        (lambda: PatchDiscriminator((2,)), "this network is for images"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(build: object, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        build()  # type: ignore[operator]


def reach(network: nn.Module, size: int) -> int:
    """Pixels a side that the score in the middle depends on, by the gradient."""
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.forward = lambda features: features  # type: ignore[method-assign]  # its statistics see everything
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
    samples = torch.ones(1, 1, size, size, requires_grad=True)
    scores: Tensor = network(samples)
    middle = scores.shape[2] // 2
    scores[0, 0, middle, middle].backward()
    assert samples.grad is not None
    seen = samples.grad[0, 0].ne(0)
    rows, columns = (int(seen.any(dim=dim).sum()) for dim in (1, 0))
    assert rows == columns
    return rows


@pytest.mark.parametrize(("layers", "pixels"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_score_is_of_a_patch_of_the_papers_size(layers: int, pixels: int) -> None:
    assert reach(PatchDiscriminator((1, 256, 256), layers=layers, width=1), 256) == pixels


def test_the_discriminator_has_the_papers_layers_and_gives_a_map_of_scores() -> None:
    with torch.device("meta"):
        network = PatchDiscriminator(RGB)
        assert network(torch.zeros(2, *RGB)).shape == (2, 1, 30, 30)
    assert [conv[1:] for conv in convolutions(network)] == [
        (3, 64, 4, 2), (64, 128, 4, 2), (128, 256, 4, 2), (256, 512, 4, 1), (512, 1, 4, 1)
    ]  # fmt: skip
    assert not isinstance(network.network[1], nn.InstanceNorm2d)  # not after the first
    assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


def recipe(name: str) -> dict[str, Any]:
    return tomllib.loads((files("ganzoo_cyclegan") / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))


def learned_norms(network: nn.Module) -> list[int]:
    norms = [module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)]
    return [norm.num_features for norm in norms if norm.weight is not None and norm.bias is not None]


def test_pix2pix_has_as_many_parameters_as_with_the_papers_batch_norm() -> None:
    with torch.device("meta"):
        unet, plain = UNetTranslator(RGB), UNetTranslator(RGB, affine=False)
        patch = PatchDiscriminator((6, 256, 256), affine=True)
    # A scale and a shift for each normed channel, of the layers whose sizes Appendix 6.1 names.
    down, up = [128, 256, 512, 512, 512, 512], [512, 512, 512, 512, 256, 128, 64]
    assert sorted(learned_norms(unet)) == sorted(down + up)
    assert parameters(unet) - parameters(plain) == 2 * sum(down + up) == 9856
    # The usual implementation has 54,413,955: no biases in the first convolution and in the innermost one, 64 and 512.
    assert parameters(unet) == 54_413_955 + 64 + 512
    assert learned_norms(patch) == [128, 256, 512]
    assert parameters(patch) == 2_768_705  # the same implementation's
    assert learned_norms(PatchDiscriminator(RGB)) == learned_norms(ResNetTranslator((3, 64, 64))) == []  # CycleGAN's


def test_on_one_image_a_learned_norm_is_batch_norm() -> None:
    torch.manual_seed(0)
    network = UNetTranslator((3, 32, 32), width=4, dropout=0.0)
    with torch.no_grad():
        for norm in (module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)):
            norm.weight.normal_(1.0, 0.5)
            norm.bias.normal_(0.0, 0.5)
    other = copy.deepcopy(network)
    for stage in (*other.down, *other.up):
        for place, norm in enumerate(stage):
            if isinstance(norm, nn.InstanceNorm2d):
                batch_norm = nn.BatchNorm2d(norm.num_features)
                batch_norm.load_state_dict(norm.state_dict(), strict=False)
                stage[place] = batch_norm
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    torch.testing.assert_close(network(image), other.train()(image))


@pytest.mark.parametrize(("size", "blocks"), [(128, 6), (255, 6), (256, 9), (512, 9)])
def test_the_recipe_for_folders_has_as_many_blocks_as_the_paper(size: int, blocks: int) -> None:
    options = {key: value for key, value in recipe("cyclegan_folder")["generator"].items() if key != "name"}
    with torch.device("meta"):
        network = ResNetTranslator((3, size, size), **options)
    assert sum(isinstance(module, Residual) for module in network.modules()) == blocks


@pytest.mark.parametrize("name", ["pix2pix_folder", "pix2pix_glyphs"])
def test_the_recipes_of_pix2pix_have_learned_norms(name: str) -> None:
    tables = recipe(name)
    with torch.device("meta"):
        assert tables["generator"].get("affine", True)
        assert learned_norms(UNetTranslator((3, 32, 32)))
    assert tables["discriminator"]["affine"]


NETWORKS = {
    "resnet": lambda: ResNetTranslator((3, 32, 32), width=8, blocks=2),
    "unet": lambda: UNetTranslator((3, 32, 32), width=8),
    "patch": lambda: PatchDiscriminator((3, 32, 32), layers=2, width=8),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_start_normal_with_a_fiftieth_as_deviation_and_biases_at_nothing(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    weights = torch.cat([p.detach().flatten() for _, p in network.named_parameters() if p.dim() > 1])
    biases = [p for n, p in network.named_parameters() if n.endswith("bias")]
    # The deviation of n numbers is known to one in sqrt(2 n): here n is above 9,000, five of them are 4 percent.
    assert len(weights) > 9_000
    assert weights.std().item() == pytest.approx(0.02, rel=0.04)
    assert abs(weights.mean().item()) < 5 * 0.02 / len(weights) ** 0.5
    assert biases
    assert not any(bias.any() for bias in biases)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name]()
    network(torch.rand(4, 3, 32, 32) * 2 - 1).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_is_treated_alike_in_whatever_company(name: str) -> None:
    torch.manual_seed(0)
    network, images = NETWORKS[name]().double().eval(), torch.rand(3, 3, 32, 32, dtype=torch.float64)
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(network(images), alone, rtol=1e-10, atol=1e-10)


def test_the_unets_dropout_is_noise_in_training_only() -> None:
    torch.manual_seed(0)
    network, images = UNetTranslator((1, 32, 32), width=4), torch.rand(1, 1, 32, 32)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))
    assert not any(isinstance(m, nn.Dropout) for m in UNetTranslator((1, 32, 32), dropout=0.0).modules())


def test_the_readmes_sizes_are_these() -> None:
    with torch.device("meta"):
        sizes = [
            parameters(network)
            for network in (
                ResNetTranslator((3, 128, 128)),
                ResNetTranslator(RGB),
                UNetTranslator(RGB),
                PatchDiscriminator(RGB),
            )
        ]
    assert sizes == [7_833_987, 11_372_931, 54_414_531, 2_763_841]
