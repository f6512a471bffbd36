"""The networks of DCGAN (Radford et al., 2016, arXiv:1511.06434), by the guidelines of its Section 3.

Sides double (generator) or halve (discriminator) in strided convolutions, without pooling; batch norm stands after
every layer but the generator's output and the discriminator's input; no hidden layer is fully connected. Kernels are
4 x 4, which a stride of 2 covers evenly.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from annotated_types import Ge
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, OptionError, Shape

Width = Annotated[int, Ge(1)]

SIDES = {start * 2**doublings: (start, doublings) for start in (4, 7) for doublings in range(1, 8)}
"""An image's side -> the side of its smallest feature maps, and how often that doubles: 28 = 7 * 2 * 2."""

WIDEST = 8
"""How many times `width` the channels of the smallest feature maps are at most: the paper's 128 to 1,024."""

SLOPE = 0.2
"""Of LeakyReLU for negative inputs."""

SPREAD = 0.02
"""Standard deviation of the first weights."""


class ConvGenerator(Generator):
    """Generator of DCGAN: latents, projected to small feature maps -> transposed convolutions -> an image, by tanh.

    Shapes: latents (N, latent_dim) -> images (N, channels, side, side) in [-1, 1].
    latent_dim: random numbers an image; width: channels of the last hidden layer, doubled in each layer before it, up
        to eightfold (the paper's network for 64 px has 128).
    Raises: OptionError unless the images are square, with a side of 4 or 7 times a power of two, from 8 on.
    """

    def __init__(self, sample_shape: Shape, *, latent_dim: Width = 100, width: Width = 64) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        start, doublings = smallest_side(sample_shape)
        widths = channels(width, doublings)[::-1]
        layers: list[nn.Module] = [
            nn.Linear(latent_dim, widths[0] * start * start, bias=False),
            nn.Unflatten(1, (widths[0], start, start)),
            nn.BatchNorm2d(widths[0]),  # its shift is the bias of the layer before it
            nn.ReLU(inplace=True),
        ]
        for inputs, outputs in pairwise(widths):
            layers.append(nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        layers += [nn.ConvTranspose2d(widths[-1], sample_shape[0], 4, stride=2, padding=1), nn.Tanh()]
        self.network = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, latents: Tensor) -> Tensor:
        """Latents (N, latent_dim) -> images (N, channels, side, side)."""
        images: Tensor = self.network(latents)
        return images


class ConvDiscriminator(Discriminator):
    """Discriminator of DCGAN: strided convolutions with LeakyReLU 0.2 -> one logit.

    Shapes: images (N, channels, side, side) -> scores (N,), unbounded. Batch norm makes a score depend on its batch.
    width: channels of the first layer, doubled in each layer after it, up to eightfold.
    Raises: OptionError unless the images are square, with a side of 4 or 7 times a power of two, from 8 on.
    """

    def __init__(self, sample_shape: Shape, *, width: Width = 64) -> None:
        super().__init__()
        end, halvings = smallest_side(sample_shape)
        widths = channels(width, halvings)
        layers: list[nn.Module] = [
            nn.Conv2d(sample_shape[0], width, 4, stride=2, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
        ]
        for inputs, outputs in pairwise(widths):
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))
            layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE, inplace=True)]
        layers += [nn.Flatten(), nn.Linear(widths[-1] * end * end, 1)]
        self.network = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, samples: Tensor) -> Tensor:
        """Images (N, channels, side, side) -> scores (N,), logits."""
        scores: Tensor = self.network(samples).squeeze(1)
        return scores


def smallest_side(sample_shape: Shape) -> tuple[int, int]:
    """The side of the smallest feature maps, and how often it doubles to the image's. Raises: OptionError."""
    if len(sample_shape) == 3 and sample_shape[1] == sample_shape[2] and sample_shape[2] in SIDES:
        return SIDES[sample_shape[2]]
    sides = ", ".join(str(side) for side in sorted(SIDES))
    raise OptionError(
        f"it takes images (channels, side, side) with a side of {sides}, and the data hold {tuple(sample_shape)}.",
        remedy="A folder of images is scaled by dataset.size = 64, for example; other samples need other networks.",
    )


def channels(width: int, layers: int) -> list[int]:
    """Channels of the feature maps, from the largest maps to the smallest."""
    return [width * min(2**layer, WIDEST) for layer in range(layers)]


def initialise(layer: nn.Module) -> None:
    """Draws a layer's weights from normal(0, 0.02), scales of batch norm from normal(1, 0.02); biases begin at 0."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
        nn.init.normal_(layer.weight, mean=1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, std=SPREAD)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
