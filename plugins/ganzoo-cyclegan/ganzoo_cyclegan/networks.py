"""The networks of CycleGAN (arXiv:1703.10593) and pix2pix (arXiv:1611.07004): two translators and one discriminator.

Normalisation is instance norm. CycleGAN's has no weights of its own. pix2pix has batch norm on batches of one, with the
statistics of that batch at test time too: that is instance norm with a learned scale and shift for each channel
(`affine`), and written like this it holds for any batch. A convolution before a norm has no bias, which the norm would
take away again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import pad

from ganzoo import Discriminator, OptionError, Shape, Translator

Width = Annotated[int, Interval(ge=1, le=4096)]
Share = Annotated[float, Interval(ge=0.0, lt=1.0)]


SMALLEST = 5
"""Pixels a side that two strided convolutions and the reflection after them need."""


class ResNetTranslator(Translator):
    """CycleGAN's generator: two strided convolutions, residual blocks, two transposed ones (Section 4 and Appendix).

    Shapes: samples (N, *input_shape) -> samples (N, *sample_shape) in [-1, 1]. It takes images of any size from 5
    pixels on: one that 4 does not divide is continued by reflection, and what comes out is cut to the size of what
    went in.

    blocks: residual blocks; by default 6 for images below 256 pixels and 9 from there on, as in the paper.
    width: channels after the first convolution; 4 times as many in the blocks.
    Raises: OptionError for samples that are no images, or too small, or are changed in size.
    """

    def __init__(
        self,
        sample_shape: Shape,
        *,
        input_shape: Shape | None = None,
        blocks: Annotated[int, Interval(ge=1, le=64)] | None = None,
        width: Width = 64,
    ) -> None:
        super().__init__()
        self.input_shape, self.sample_shape = images_of_one_size(input_shape or sample_shape, sample_shape)
        large_enough(*sample_shape[1:], least=SMALLEST)
        blocks = blocks or (9 if min(sample_shape[1:]) >= 256 else 6)
        layers = [
            nn.ReflectionPad2d(3),
            *normed(nn.Conv2d(self.input_shape[0], width, 7, bias=False), nn.ReLU(inplace=True)),
            *normed(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), nn.ReLU(inplace=True)),
            *normed(nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=False), nn.ReLU(inplace=True)),
            *(Residual(4 * width) for _ in range(blocks)),
        ]
        for wide in (4 * width, 2 * width):
            up = nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1, bias=False)
            layers += normed(up, nn.ReLU(inplace=True))
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, self.sample_shape[0], 7), nn.Tanh()]
        self.network = nn.Sequential(*layers)
        initialise(self)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (N, *input_shape), or of another size -> samples of the size that they came in."""
        return at_multiple_of(4, self.network, samples, least=SMALLEST)


class Residual(nn.Module):
    """Two 3x3 convolutions whose result is added to what came in (N, channels, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.ReflectionPad2d(1),
            *normed(nn.Conv2d(channels, channels, 3, bias=False), nn.ReLU(inplace=True)),
            nn.ReflectionPad2d(1),
            *normed(nn.Conv2d(channels, channels, 3, bias=False)),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        changed: Tensor = features + self.change(features)
        return changed


class UNetTranslator(Translator):
    """pix2pix's generator: an hourglass whose two sides are joined at every size (Section 3.2 and Appendix).

    Shapes: samples (N, *input_shape) -> samples (N, *sample_shape) in [-1, 1]. Other sizes above 2**(depth - 1) pixels
    are taken, too: one that 2**depth does not divide is continued by reflection, and cut again at the end.

    depth: how often the size is halved; by default as often as the shorter side can be, at most 8 times, the paper's
        number.
    width: channels after the first convolution, doubled at each of the three sizes below.
    dropout: the share of features left out after each of the three innermost layers on the way up, in training only. It
        is the only noise that the paper feeds in, and there it stays on at test time; here one image always gives the
        same one.
    affine: norms have a learned scale and shift for each channel, as the paper's batch norm has.
    Raises: OptionError for samples that are no images, or are changed in size, or too small for the depth.
    """

    defaults_of_older_runs: ClassVar[Mapping[str, Any]] = {"affine": False}

    def __init__(
        self,
        sample_shape: Shape,
        *,
        input_shape: Shape | None = None,
        depth: Annotated[int, Interval(ge=1, le=12)] | None = None,
        width: Width = 64,
        dropout: Share = 0.5,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.input_shape, self.sample_shape = images_of_one_size(input_shape or sample_shape, sample_shape)
        least = min(sample_shape[1:])
        self.depth = depth or min(8, int(math.log2(least)))
        if least <= 2 ** (self.depth - 1):
            raise OptionError(f"a depth of {self.depth} is too much for images of {least} pixels.", remedy="Lower it.")
        widths = [self.input_shape[0], *(width * min(2**level, 8) for level in range(self.depth))]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(pairwise(widths)):
            outermost, innermost = level == 0, level == self.depth - 1
            plain = outermost or innermost  # a norm at the innermost size, one pixel, would leave nothing
            layers: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2)]
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=plain)
            self.down.append(nn.Sequential(*layers, *([conv] if plain else normed(conv, affine=affine))))
            joined = after if innermost else 2 * after
            made = self.sample_shape[0] if outermost else before
            up = nn.ConvTranspose2d(joined, made, 4, 2, 1, bias=outermost)
            drop = [nn.Dropout(dropout)] if dropout and level >= self.depth - 3 else []
            self.up.append(
                nn.Sequential(nn.ReLU(), *([up, nn.Tanh()] if outermost else normed(up, *drop, affine=affine)))
            )
        initialise(self)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (N, *input_shape), or of another size -> samples of the size that they came in."""
        return at_multiple_of(2**self.depth, self.hourglass, samples, least=2 ** (self.depth - 1) + 1)

    def hourglass(self, features: Tensor) -> Tensor:
        """Down, remembering each size, and up again, beside what was remembered."""
        remembered = []
        for layer in self.down:
            features = layer(features)
            remembered.append(features)
        features = remembered.pop()
        for layer in reversed(self.up):
            features = layer(features)
            if remembered:
                features = torch.cat((features, remembered.pop()), dim=1)
        return features


class PatchDiscriminator(Discriminator):
    """PatchGAN: a fully convolutional discriminator that judges each patch of an image (pix2pix, Section 3.2.2).

    Shapes: samples (N, *sample_shape) -> scores (N, 1, h, w), logits, one for each patch. With 3 layers a patch is
    70x70 pixels, with 2 it is 34x34, with 1 it is 16x16.

    layers: strided convolutions; one more and the last, which makes the scores, have stride 1.
    width: channels after the first, doubled with each layer up to 8 times as many.
    affine: norms have a learned scale and shift for each channel, as pix2pix's batch norm has and CycleGAN's instance
        norm has not.
    Raises: OptionError for samples that are no images, or too small for so many layers.
    """

    per_sample = True

    def __init__(
        self,
        sample_shape: Shape,
        *,
        layers: Annotated[int, Interval(ge=1, le=8)] = 3,
        width: Width = 64,
        affine: bool = False,
    ) -> None:
        super().__init__()
        channels, height, wide = an_image(sample_shape)
        if min(height, wide) < 3 * 2**layers:
            raise OptionError(
                f"{layers} layers leave nothing of images of {wide} x {height}.", remedy="Take fewer layers."
            )
        stages: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        before = width
        for level in range(1, layers + 1):
            after = width * min(2**level, 8)
            conv = nn.Conv2d(before, after, 4, 2 if level < layers else 1, 1, bias=False)
            stages += normed(conv, nn.LeakyReLU(0.2, inplace=True), affine=affine)
            before = after
        self.network = nn.Sequential(*stages, nn.Conv2d(before, 1, 4, 1, 1))
        initialise(self)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (N, *sample_shape) -> scores (N, 1, h, w)."""
        scores: Tensor = self.network(samples)
        return scores


def normed(convolution: nn.Conv2d | nn.ConvTranspose2d, *then: nn.Module, affine: bool = False) -> list[nn.Module]:
    """A convolution, instance norm, and what comes after. affine: whether the norm has a scale and a shift."""
    return [convolution, nn.InstanceNorm2d(convolution.out_channels, affine=affine), *then]


def initialise(network: nn.Module) -> None:
    """Weights from a normal distribution of standard deviation 0.02, as both papers have it, and no biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def at_multiple_of(step: int, network: Callable[[Tensor], Tensor], images: Tensor, *, least: int) -> Tensor:
    """What `network`, which takes multiples of `step`, makes of images (N, C, H, W) of any size from `least` on.

    Raises: OptionError where an image is too small to be continued by reflection.
    """
    height, width = images.shape[2:]
    large_enough(height, width, least=least)
    below, beside = -height % step, -width % step
    whole = pad(images, (0, beside, 0, below), mode="reflect") if below or beside else images
    return network(whole)[:, :, :height, :width]


def large_enough(height: int, width: int, *, least: int) -> None:
    """Raises: OptionError for images of less than `least` pixels a side."""
    if min(height, width) < least:
        what = f"images of {width} x {height} are too small for this network."
        raise OptionError(what, remedy=f"It takes {least} x {least} and more.")


def images_of_one_size(given: Shape, made: Shape) -> tuple[Shape, Shape]:
    """Both shapes. Raises: OptionError unless they are images of one size."""
    if an_image(given)[1:] != an_image(made)[1:]:
        raise OptionError(f"a translator keeps the size of an image, and here {given} is to become {made}.")
    return given, made


def an_image(shape: Shape) -> tuple[int, int, int]:
    """The shape (channels, height, width). Raises: OptionError where it is no image's."""
    if len(shape) != 3:
        raise OptionError(f"this network is for images (channels, height, width), and samples are {shape}.")
    channels, height, width = shape
    return channels, height, width
