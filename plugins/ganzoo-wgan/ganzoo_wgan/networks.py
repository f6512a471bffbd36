"""The critic of WGAN-GP (Gulrajani et al., 2017, arXiv:1704.00028), which serves WGAN (arXiv:1701.07875) as well.

Its shape is that of DCGAN's discriminator, without batch norm: a penalty on the gradient of each sample's score means
something only where a score depends on its own sample alone (arXiv:1704.00028, Section 4).

With `conditional` it projects: the product of an embedding of the label and its last features is added to the score
(Miyato and Koyama, 2018, arXiv:1802.05637, Eq. 3).
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor, nn

from ganzoo import Discriminator, OptionError, Shape

Width = Annotated[int, Ge(1)]

SMALLEST = 4
"""Sides are halved as long as they stay this long."""

WIDEST = 8
"""How many times `width` the channels of the smallest feature maps are at most."""

SLOPE = 0.2
"""Of LeakyReLU for negative inputs."""


class ConvCritic(Discriminator):
    """Critic: strided convolutions with LeakyReLU 0.2 -> one number for each image, of any size.

    Shapes: images (N, channels, height, width) [and label (N,)] -> scores (N,), unbounded.
    width: channels of the first layer, doubled in each layer after it, up to eightfold;
    norm: "none", or "layer" for layer normalisation (over all of a sample's features) in every layer but the first;
    conditional: a score is of an image as one of the class that its label names, one of `n_classes`.
    Raises: OptionError unless the samples are images, from 8 x 8 on; for a conditional one where the data have no
        classes.
    """

    per_sample = True

    def __init__(
        self,
        sample_shape: Shape,
        *,
        width: Width = 64,
        norm: Literal["none", "layer"] = "none",
        conditional: bool = False,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.conditions = ("label",) if conditional else ()
        if len(sample_shape) != 3 or min(sample_shape[1:]) < 2 * SMALLEST:
            raise OptionError(
                f"it takes images (channels, height, width) from 8 x 8 on, and the data hold {tuple(sample_shape)}.",
                remedy='For points, and for anything else: [discriminator] name = "mlp".',
            )
        inputs, height, breadth = sample_shape
        outputs, layers = width, list[nn.Module]()
        self.sizes = [(height, breadth)]
        while min(height, breadth) >= 2 * SMALLEST:
            layers.append(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1))
            if norm == "layer" and len(layers) > 1:
                layers.append(nn.GroupNorm(1, outputs))
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
            inputs, outputs = outputs, min(2 * outputs, WIDEST * width)
            height, breadth = height // 2, breadth // 2
            self.sizes.append((height, breadth))
        features = inputs * height * breadth
        layers += [nn.Flatten(), nn.Linear(features, 1)]
        self.network = nn.Sequential(*layers)
        self.embedding = label_embedding(n_classes, features, features**-0.5) if conditional else None

    def forward(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, channels, height, width), and labels (N,) of a conditional one -> scores (N,), without bounds."""
        if self.embedding is None:
            scores: Tensor = self.network(samples).squeeze(1)
        else:
            features = self.network[:-1](samples)
            scores = self.network[-1](features).squeeze(1) + (features * self.embedding(label)).sum(dim=1)
        return scores

    def plan(self) -> str:
        """Height x width of the feature maps in order, the image's first: "28x28 -> 14x14 -> 7x7 -> score"."""
        return " -> ".join([*(f"{height}x{width}" for height, width in self.sizes), "score"])


def label_embedding(n_classes: int | None, numbers: int, spread: float) -> nn.Embedding:
    """So many numbers for each class, to be learned from a normal distribution of standard deviation `spread`.

    Raises: OptionError where the data have no classes.
    """
    if n_classes is None:
        raise OptionError("conditional = true takes labels, and the data have none.", remedy="conditional = false.")
    embedding = nn.Embedding(n_classes, numbers)
    nn.init.normal_(embedding.weight, std=spread)
    return embedding
