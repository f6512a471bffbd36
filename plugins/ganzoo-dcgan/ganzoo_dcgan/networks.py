"""The networks of DCGAN (Radford et al., 2016, arXiv:1511.06434), by the guidelines of its Section 3.

Sides double (generator) or halve (discriminator) in strided convolutions, without pooling; batch norm stands after
every layer but the generator's output and the discriminator's input; no hidden layer is fully connected. Kernels are
4 x 4, which a stride of 2 covers evenly.

Images may have any height and width from 8 on. The sizes of the feature maps are planned from the image down: both
sides are halved, and an odd one rounded up, until the shorter is at most 7. The generator goes back up; where the next
side is odd, its layer makes one row or column less than double (padding 2 and output padding 1 in place of 1 and 0),
and the discriminator's layer for that size is its transpose. Resizing the last feature maps instead would filter
generated images in a way that real ones are not, which a discriminator learns to see; cropping them would compute up to
36 % of their pixels for nothing.

With `conditional` they are the networks of a conditional GAN (Mirza and Osindero, 2014, arXiv:1411.1784): an embedding
of the label is joined to the latents. The discriminator projects: the product of another embedding and its last
features is added to the score (Miyato and Koyama, 2018, arXiv:1802.05637, Eq. 3).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, OptionError, Shape

Width = Annotated[int, Ge(1)]
Size = tuple[int, int]

SMALLEST = 8
"""Shortest side of an image: one layer halves it to the 4 of the paper's smallest feature maps."""

START = 7
"""Shorter side of the smallest feature maps, at the most; at the least it is 4."""

WIDEST = 8
"""How many times `width` the channels of the smallest feature maps are at most: the paper's 128 to 1,024."""

SLOPE = 0.2
"""Of LeakyReLU for negative inputs."""

SPREAD = 0.02
"""Standard deviation of the first weights."""

EMBEDDING = 10
"""Numbers that stand for a label beside the latents, of a tenth of the latents' variance in all. With half of it,
DCGAN's generator learned one image a class on MNIST: under batch norm, what tells classes apart drowned the latents."""


class ConvGenerator(Generator):
    """Generator of DCGAN: latents, projected to small feature maps -> transposed convolutions -> an image, by tanh.

    Shapes: latents (N, latent_dim) [and label (N,)] -> images (N, channels, height, width) in [-1, 1].
    latent_dim: random numbers an image; width: channels of the last hidden layer, doubled in each layer before it, up
        to eightfold (the paper's network for 64 px has 128).
    conditional: images are of the class that a label names, one of `n_classes`.
    Raises: OptionError unless the samples are images, from 8 x 8 on; for a conditional one where the data have no
        classes.
    """

    def __init__(
        self,
        sample_shape: Shape,
        *,
        latent_dim: Width = 100,
        width: Width = 64,
        conditional: bool = False,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.conditions = ("label",) if conditional else ()
        self.latent_dim = latent_dim
        self.sizes = feature_maps(sample_shape)[::-1]
        start, sizes = self.sizes[0], self.sizes[1:]
        widths = channels(width, len(sizes))[::-1]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + EMBEDDING * conditional, widths[0] * start[0] * start[1], bias=False),
            nn.Unflatten(1, (widths[0], *start)),
            nn.BatchNorm2d(widths[0]),  # its shift is the bias of the layer before it
            nn.ReLU(inplace=True),
        ]
        for (inputs, outputs), size in zip(pairwise(widths), sizes[:-1], strict=True):
            layers.append(doubling(inputs, outputs, size, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        layers += [doubling(widths[-1], sample_shape[0], sizes[-1]), nn.Tanh()]
        self.network = nn.Sequential(*layers)
        self.apply(initialise)
        self.embedding = label_embedding(n_classes, EMBEDDING, math.sqrt(latent_dim) / 10) if conditional else None

    def forward(self, latents: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim), and labels (N,) of a conditional one -> images (N, channels, height, width)."""
        if self.embedding is not None:
            latents = torch.cat((latents, self.embedding(label)), dim=1)
        images: Tensor = self.network(latents)
        return images

    def plan(self) -> str:
        """Height x width of the feature maps in order, the image's last: "latents -> 7x7 -> 14x14 -> 28x28"."""
        return " -> ".join(["latents", *(f"{height}x{width}" for height, width in self.sizes)])


class ConvDiscriminator(Discriminator):
    """Discriminator of DCGAN: strided convolutions with LeakyReLU 0.2 -> one logit.

    Shapes: images (N, channels, height, width) [and label (N,)] -> scores (N,), unbounded. Batch norm makes a score
    depend on its batch.
    width: channels of the first layer, doubled in each layer after it, up to eightfold;
    conditional: the question is whether an image is a real one of the class that its label names, one of `n_classes`.
    Raises: OptionError unless the samples are images, from 8 x 8 on; for a conditional one where the data have no
        classes.
    """

    def __init__(
        self, sample_shape: Shape, *, width: Width = 64, conditional: bool = False, n_classes: int | None = None
    ) -> None:
        super().__init__()
        self.conditions = ("label",) if conditional else ()
        self.sizes = feature_maps(sample_shape)
        *sizes, end = self.sizes
        widths = channels(width, len(sizes))
        layers: list[nn.Module] = [halving(sample_shape[0], width, sizes[0]), nn.LeakyReLU(SLOPE, inplace=True)]
        for (inputs, outputs), size in zip(pairwise(widths), sizes[1:], strict=True):
            layers.append(halving(inputs, outputs, size, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE, inplace=True)]
        features = widths[-1] * end[0] * end[1]
        layers += [nn.Flatten(), nn.Linear(features, 1)]
        self.network = nn.Sequential(*layers)
        self.apply(initialise)
        self.embedding = label_embedding(n_classes, features, SPREAD) if conditional else None

    def forward(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, channels, height, width), and labels (N,) of a conditional one -> scores (N,), logits."""
        if self.embedding is None:
            scores: Tensor = self.network(samples).squeeze(1)
        else:
            features = self.network[:-1](samples)
            scores = self.network[-1](features).squeeze(1) + (features * self.embedding(label)).sum(dim=1)
        return scores

    def plan(self) -> str:
        """Height x width of the feature maps in order, the image's first: "28x28 -> 14x14 -> 7x7 -> score"."""
        return " -> ".join([*(f"{height}x{width}" for height, width in self.sizes), "score"])


def feature_maps(sample_shape: Shape) -> list[Size]:
    """Heights and widths of the feature maps, from the image's own to the smallest. Raises: OptionError.

    For sides of 4 or 7 times a power of two these are exact halves; 37 x 53 gives 19 x 27, 10 x 14 and 5 x 7.
    """
    if len(sample_shape) != 3 or min(sample_shape[1:]) < SMALLEST:
        raise OptionError(
            f"it takes images (channels, height, width) from 8 x 8 on, and the data hold {tuple(sample_shape)}.",
            remedy='A folder of small images is scaled up by dataset.size = 64; for other samples: name = "mlp".',
        )
    sizes = [(sample_shape[1], sample_shape[2])]
    while min(sizes[-1]) > START:
        sizes.append((math.ceil(sizes[-1][0] / 2), math.ceil(sizes[-1][1] / 2)))
    return sizes


def doubling(inputs: int, outputs: int, size: Size, *, bias: bool = True) -> nn.ConvTranspose2d:
    """A transposed convolution to feature maps of that size, twice that of its input, or one less where it is odd."""
    odd = (size[0] % 2, size[1] % 2)
    padding = (1 + odd[0], 1 + odd[1])
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=padding, output_padding=odd, bias=bias)


def halving(inputs: int, outputs: int, size: Size, *, bias: bool = True) -> nn.Conv2d:
    """A convolution of feature maps of that size to half of it, rounded up."""
    return nn.Conv2d(inputs, outputs, 4, stride=2, padding=(1 + size[0] % 2, 1 + size[1] % 2), bias=bias)


def channels(width: int, layers: int) -> list[int]:
    """Channels of the feature maps, from the largest maps to the smallest."""
    return [width * min(2**layer, WIDEST) for layer in range(layers)]


def label_embedding(n_classes: int | None, numbers: int, spread: float) -> nn.Embedding:
    """So many numbers for each class, to be learned from a normal distribution of standard deviation `spread`.

    Raises: OptionError where the data have no classes.
    """
    if n_classes is None:
        raise OptionError("conditional = true takes labels, and the data have none.", remedy="conditional = false.")
    embedding = nn.Embedding(n_classes, numbers)
    nn.init.normal_(embedding.weight, std=spread)
    return embedding


def initialise(layer: nn.Module) -> None:
    """Draws a layer's weights from normal(0, 0.02), scales of batch norm from normal(1, 0.02); biases begin at 0."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
        nn.init.normal_(layer.weight, mean=1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, std=SPREAD)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
