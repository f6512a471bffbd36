"""Networks with several outputs."""

from torch import Tensor, nn

from ganzoo import Discriminator, Generator, OptionError, Shape


def grey(sample_shape: Shape) -> int:
    if len(sample_shape) != 3:
        raise OptionError(f"these are no images: {tuple(sample_shape)}.")
    return sample_shape[0] * sample_shape[1] * sample_shape[2]


class Labelled(Generator):
    """An image of a class, from latents and an embedding of the label."""

    def __init__(self, sample_shape: Shape, n_classes: int) -> None:
        super().__init__()
        self.latent_dim = 5
        self.classes = nn.Embedding(n_classes, 5)
        self.network = nn.Sequential(
            nn.Linear(5, 12),
            nn.LeakyReLU(0.2),
            nn.Linear(12, grey(sample_shape)),
            nn.Tanh(),
            nn.Unflatten(1, sample_shape),
        )

    def forward(self, latents: Tensor, label: Tensor) -> Tensor:
        return self.network(latents + self.classes(label))


class Masked(Generator):
    """An image in [-1, 1], one behind it, and a mask in [0, 1]."""

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        self.latent_dim = 5
        self.front, self.back, self.mask = (
            nn.Sequential(nn.Linear(5, grey(sample_shape)), nn.Unflatten(1, sample_shape)) for _ in range(3)
        )

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.front(latents).tanh(), self.back(latents).tanh(), self.mask(latents).sigmoid()


class TwoHeads(Discriminator):
    """A score, and logits of the classes."""

    per_sample = True

    def __init__(self, sample_shape: Shape, n_classes: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(grey(sample_shape), 12), nn.LeakyReLU(0.2))
        self.score = nn.Linear(12, 1)
        self.classes = nn.Linear(12, n_classes)

    def forward(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.trunk(samples)
        return self.score(seen).squeeze(1), self.classes(seen)


class SideHead(TwoHeads):
    """A score; logits of the classes by `classify`."""

    def forward(self, samples: Tensor) -> Tensor:
        return self.score(self.trunk(samples)).squeeze(1)

    def classify(self, samples: Tensor) -> Tensor:
        return self.classes(self.trunk(samples))


class Scales(Discriminator):
    """A score for every patch, at two scales."""

    per_sample = True

    def __init__(self, sample_shape: Shape) -> None:
        super().__init__()
        grey(sample_shape)
        self.near, self.far = (nn.Conv2d(sample_shape[0], 1, side, side) for side in (3, 6))

    def forward(self, samples: Tensor) -> list[Tensor]:
        return [self.near(samples), self.far(samples)]
