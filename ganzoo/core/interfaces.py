"""What a generator, a discriminator, a loss, a regularizer, an augmentation and a schedule are.

Each is a small class to inherit from. A component's options are its constructor's keyword parameters: their names,
types, defaults and docstring are the schema that recipes are checked against. Some parameters are never written in a
recipe but filled in from the data where a constructor names them: `sample_shape`, `input_shape`, `n_classes`, and
`KEY_shape` for every condition KEY of a batch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganzoo.core.conditions import Conditioned
from ganzoo.core.noise import joint


class Generator(Conditioned, ABC):
    """Makes samples from noise. Implement `forward` and set `latent_dim`.

    Shapes: latents (N, latent_dim) [and conditions, each (N, ...)] -> samples (N, *sample_shape); images in [-1, 1].
    A generator may give several tensors to a game that knows what they are.
    """

    latent_dim: int

    @abstractmethod
    def forward(self, latents: Tensor, *args: Any, **kwargs: Any) -> Any:
        """latents (N, latent_dim) -> samples (N, *sample_shape). Further parameters are conditions, by their names."""

    def latents(self, n: int, *, truncation: float | None = None) -> Tensor:
        """Draws n latents (n, latent_dim) from the prior, the standard normal, on the generator's device.

        They come from the device's default random stream, the one that `[train] seed` seeds and checkpoints save; where
        several ranks train, they are this one's rows of the latents that a single one would draw.
        truncation: they are drawn from the same normal cut off at plus and minus this (the truncation trick of BigGAN,
        arXiv:1809.11096, Section 3.1): the smaller it is, the more typical and the less varied the samples.
        """
        device = next(self.parameters()).device
        if truncation is None:
            return joint(torch.randn, n, self.latent_dim, device=device)
        uniform = joint(torch.rand, n, self.latent_dim, device=device) * 2 - 1
        return math.sqrt(2) * torch.erfinv(uniform * math.erf(truncation / math.sqrt(2)))


class Translator(Conditioned, ABC):
    """Makes a sample of one domain from a sample of another: a generator without latents. Implement `forward`.

    It stands on the shelf of generators. Its constructor takes `sample_shape`, of what it makes, and `input_shape:
    Shape | None = None`, of what it is given (None: the same); both are filled in by the game that asks for it.

    Shapes: samples (N, *input_shape) -> samples (N, *sample_shape); images in [-1, 1]. One may also take images of
    other sizes, as convolutions do.
    """

    @abstractmethod
    def forward(self, samples: Tensor, *args: Any, **kwargs: Any) -> Any:
        """samples (N, *input_shape) -> samples (N, *sample_shape). Further parameters are conditions."""


class Discriminator(Conditioned, ABC):
    """Tells real samples from generated ones. Implement `forward`.

    Shapes: samples (N, *sample_shape) [and conditions, each (N, ...)] -> scores (N,), or (N, ...) for one a patch, or a
    list of them, one a scale; unbounded logits. There is never a sigmoid inside: sigmoid(score) is the paper's D(x). A
    critic is a discriminator.

    It may define `features(samples)`, which takes what `forward` takes and returns what its layers make of them, from
    the first to the last: a list of (N, ...), for games that match features (Salimans et al., 2016, arXiv:1606.03498,
    Section 3.1).
    """

    per_sample: ClassVar[bool] = False
    """True where a sample's score does not depend on the others in its batch (no batch norm, no minibatch statistics):
    a game may then score real and generated samples in one pass, which is faster and changes nothing."""

    @abstractmethod
    def forward(self, samples: Tensor, *args: Any, **kwargs: Any) -> Any:
        """samples (N, *sample_shape) -> scores (N,), or a list of scores. Further parameters are conditions."""


class Loss(ABC):
    """The objective, as two functions of scores; each returns a scalar to minimise.

    Scores are logits of shape (N,) (or any shape, as a patch discriminator gives; the mean is over all of them).
    """

    needs_real_scores: ClassVar[bool] = False
    """True where `generator` reads the real scores too, as relativistic losses do; the game then computes them."""

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises, from its scores of real and of generated samples."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """What the generator minimises, from the discriminator's scores of its samples (and of real ones)."""

    def metrics(self, real: Tensor, fake: Tensor) -> Mapping[str, Tensor]:
        """What else the scores of a discriminator's move tell, by the name to log it under; nothing by default.

        real, fake: detached. Returns scalars, such as the distance that a critic estimates; a row of metrics.jsonl has
        their means over the moves since the row before.
        """
        return {}


class Regularizer(nn.Module, ABC):
    """A term added to a player's loss (`penalty`), or a constraint applied after its move (`constrain`), or both.

    It is a module, so that what must survive a resume (a count of moves) is a registered buffer.
    """

    player: ClassVar[str] = "discriminator"
    """Whose loss and weights it works on. A recipe is refused before training if its game has no player of that name,
    never calls `penalty` or `constrain` in a round, or calls them with another player's network."""

    def penalty(self, network: nn.Module, real: Tensor, fake: Tensor) -> Tensor | None:
        """The scalar to add to the loss of `network`, or None where none is due.

        network: the player's; where it is conditional, with the conditions of this batch given, so that it is called
        with samples (or latents) alone. real, fake: samples (N, *sample_shape), detached, as the discriminator sees
        them.
        """
        return None

    def constrain(self, network: nn.Module) -> None:
        """Changes the weights of `network` in place, right after its optimizer's step."""


class Augmentation(Conditioned, ABC):
    """A differentiable change of all that a discriminator sees, real and generated alike. Implement `forward`.

    It draws by `ganzoo.joint`, so that ranks share a batch, and keeps what it learns in buffers. Its constructor may
    take `sample_shape`, which is filled in. Conditions come as to networks, by the names of `forward`'s further
    parameters.
    """

    @abstractmethod
    def forward(self, samples: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """samples (N, *sample_shape) -> the same shape, differentiable by the samples."""

    def adapt(self, real_scores: Tensor) -> None:
        """After each move of the discriminator: its detached scores of real samples, for augmentations that adapt."""


class Schedule(ABC):
    """A learning rate's course: a pure function of progress, so that resuming needs no state."""

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """The factor on the learning rate at `progress` in [0, 1] of the training budget."""
