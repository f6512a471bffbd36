"""The networks of the MLP GAN (Goodfellow et al., 2014, arXiv:1406.2661), in the sizes that practice settled on.

The paper's own generators mix rectifiers and sigmoids, its discriminators use maxout; LeakyReLU in both and tanh at the
end are what later work made the habit. Its dropout in the discriminator (Section 5) is an option here.

With `conditional` they are the networks of a conditional GAN (Mirza and Osindero, 2014, arXiv:1411.1784): an embedding
of the label is joined to the latents. The discriminator projects: the product of another embedding and its last
features is added to the score (Miyato and Koyama, 2018, arXiv:1802.05637, Eq. 3).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval, Len
from torch import Tensor, nn

from ganzoo import Discriminator, Generator, OptionError, Shape

Width = Annotated[int, Ge(1)]
Widths = Annotated[tuple[Width, ...], Len(1)]

SLOPE = 0.2
"""Of LeakyReLU for negative inputs."""

EMBEDDING = 10
"""Numbers that stand for a label beside the latents, of a tenth of the latents' variance in all. With half of it,
DCGAN's generator learned one image a class on MNIST: under batch norm, what tells classes apart drowned the latents."""


class MLPGenerator(Generator):
    """Fully connected generator: latents -> hidden layers with LeakyReLU 0.2 -> one sample of any shape.

    Shapes: latents (N, latent_dim) [and label (N,)] -> samples (N, *sample_shape), in [-1, 1] unless `output` is
        "none".
    latent_dim: random numbers a sample; hidden: the layers' widths, from the latents on;
    output: "tanh" for images; "none" for samples that are not held in [-1, 1], such as points;
    batch_norm: batch normalisation before each hidden activation;
    conditional: samples are of the class that a label names, one of `n_classes`.
    Raises: OptionError for a conditional one where the data have no classes.
    """

    def __init__(
        self,
        sample_shape: Shape,
        *,
        latent_dim: Width = 100,
        hidden: Widths = (256, 512, 1024),
        output: Literal["tanh", "none"] = "tanh",
        batch_norm: bool = False,
        conditional: bool = False,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.conditions = ("label",) if conditional else ()
        self.embedding = label_embedding(n_classes, EMBEDDING, math.sqrt(latent_dim) / 10) if conditional else None
        self.latent_dim = latent_dim
        self.sample_shape = tuple(sample_shape)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((latent_dim + EMBEDDING * conditional, *hidden)):
            layers.append(nn.Linear(inputs, outputs))
            if batch_norm:
                layers.append(nn.BatchNorm1d(outputs))
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
        layers.append(nn.Linear(hidden[-1], math.prod(self.sample_shape)))
        if output == "tanh":
            layers.append(nn.Tanh())
        self.network = nn.Sequential(*layers)

    def forward(self, latents: Tensor, label: Tensor | None = None) -> Tensor:
        """Latents (N, latent_dim), and labels (N,) of a conditional one -> samples (N, *sample_shape)."""
        if self.embedding is not None:
            latents = torch.cat((latents, self.embedding(label)), dim=1)
        samples: Tensor = self.network(latents).unflatten(1, self.sample_shape)
        return samples


class MLPDiscriminator(Discriminator):
    """Fully connected discriminator: the sample's numbers -> hidden layers with LeakyReLU 0.2 -> one logit.

    Shapes: samples (N, *sample_shape) [and label (N,)] -> scores (N,), unbounded.
    hidden: the layers' widths, from the sample on; dropout: the share of each hidden layer that is dropped in training;
    conditional: the question is whether a sample is a real one of the class that its label names, one of `n_classes`.
    Raises: OptionError for a conditional one where the data have no classes.
    """

    per_sample = True

    def __init__(
        self,
        sample_shape: Shape,
        *,
        hidden: Widths = (512, 256),
        dropout: Annotated[float, Interval(ge=0.0, lt=1.0)] = 0.0,
        conditional: bool = False,
        n_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.conditions = ("label",) if conditional else ()
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((math.prod(sample_shape), *hidden)):
            layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE, inplace=True)]
            if dropout:
                layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(hidden[-1], 1))
        self.network = nn.Sequential(*layers)
        self.embedding = label_embedding(n_classes, hidden[-1], hidden[-1] ** -0.5) if conditional else None

    def forward(self, samples: Tensor, label: Tensor | None = None) -> Tensor:
        """Samples (N, *sample_shape), and labels (N,) of a conditional one -> scores (N,), logits."""
        if self.embedding is None:
            scores: Tensor = self.network(samples).squeeze(1)
        else:
            features = self.network[:-1](samples)
            scores = self.network[-1](features).squeeze(1) + (features * self.embedding(label)).sum(dim=1)
        return scores


def label_embedding(n_classes: int | None, numbers: int, spread: float) -> nn.Embedding:
    """So many numbers for each class, to be learned from a normal distribution of standard deviation `spread`.

    Raises: OptionError where the data have no classes.
    """
    if n_classes is None:
        raise OptionError("conditional = true takes labels, and the data have none.", remedy="conditional = false.")
    embedding = nn.Embedding(n_classes, numbers)
    nn.init.normal_(embedding.weight, std=spread)
    return embedding
