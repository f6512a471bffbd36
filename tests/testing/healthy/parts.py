"""Networks, loss, regularizer, augmentation, kind, data sets, optimizer and schedule."""

import hashlib
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from PIL import Image
from torch import nn
from torch.nn.functional import dropout, leaky_relu, softplus

from ganzoo import (
    Augmentation,
    Dataset,
    DatasetInfo,
    Discriminator,
    Examples,
    Extractor,
    Features,
    Field,
    Generator,
    Kind,
    Loss,
    Media,
    Metric,
    OptionError,
    Regularizer,
    Schedule,
    Shape,
    Source,
    joint,
    replace_file,
)


class Sketch(Generator):
    """Latents through one hidden layer, some noise in training.

    latent_dim: random numbers a sample; width: of the hidden layer.
    """

    def __init__(self, sample_shape: Shape, *, latent_dim: int = 4, width: int = 8) -> None:
        super().__init__()
        if sample_shape[0] == 3:
            raise OptionError("a sketch has no colours.")
        self.latent_dim = latent_dim
        self.sample_shape = tuple(sample_shape)
        self.hidden = nn.Linear(latent_dim, width)
        self.norm = nn.BatchNorm1d(width)
        self.last = nn.Linear(width, math.prod(sample_shape))
        self.register_buffer("tilt", torch.randn(width))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        hidden = dropout(leaky_relu(self.norm(self.hidden(latents) + self.tilt)), 0.1, self.training)
        samples = self.last(hidden).tanh()
        return samples.unflatten(1, self.sample_shape)


class Judge(Discriminator):
    """The sample's numbers through one hidden layer.

    width: of the hidden layer.
    """

    per_sample = True

    def __init__(self, sample_shape: Shape, *, width: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(math.prod(sample_shape), width)
        self.last = nn.Linear(width, 1)

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        hidden = leaky_relu(self.first(samples.flatten(1)))
        scores = self.last(hidden)
        return scores.squeeze(1)

    def features(self, samples: torch.Tensor) -> list[torch.Tensor]:
        return [self.first(samples.flatten(1)).tanh()]


class Logistic(Loss):
    """The mean cross-entropies."""

    def discriminator(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return softplus(-real.float()).mean() + softplus(fake.float()).mean()

    def generator(self, fake: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        return softplus(-fake.float()).mean()

    def metrics(self, real: torch.Tensor, fake: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"gap": real.mean() - fake.mean()}


class Flat(Regularizer):
    """The mean square of each real sample's gradient, at every second move.

    weight: of the penalty.
    """

    def __init__(self, *, weight: float = 0.1) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def penalty(self, network: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor | None:
        self.calls += 1
        if self.calls % 2 == 0:
            return None
        samples = real.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(samples).sum(), samples, create_graph=True)
        return self.weight * slope.square().mean()


class Tremble(Augmentation):
    """Samples made a little larger or smaller, the more so the surer the discriminator was.

    start: how much at first.
    """

    def __init__(self, *, start: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("strength", torch.tensor(start))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        factor = 1 + self.strength * joint(torch.randn, len(samples), 1)
        return (samples.flatten(1) * factor).view_as(samples)

    def adapt(self, real_scores: torch.Tensor) -> None:
        self.strength += 0.01 * real_scores.sign().mean()


class Pulse(Kind):
    """Beats (length,) of 16 bits.

    rate: beats a minute.
    """

    plural = "pulses"
    bounds = (-1.0, 1.0)
    endings = (".npy", ".npz", ".txt")

    def __init__(self, *, rate: int) -> None:
        self.rate = rate

    def unit_shape(self, shape):
        return (1, *shape)

    def to_unit(self, stored):
        return stored.float().unsqueeze(1) / 100

    def from_unit(self, samples, field):
        return (samples.detach().squeeze(1) * 100).round().to(field.torch_dtype)

    def coarse(self, samples):
        return samples.flatten(1)[:, :4]

    def picture(self, samples, *, columns=None, real=None):
        grey = (samples[:, 0].float() * 127 + 128).byte().cpu()
        return Image.fromarray(grey.repeat_interleave(4, dim=0).numpy())

    def media(self, samples):
        return [Media("text/plain", str(sample.tolist()).encode()) for sample in samples]

    def write(self, samples, path, field, extra=None):
        if path.suffix != ".txt":
            super().write(samples, path, field, extra)
            return
        lines = [" ".join(map(str, row)) for row in self.from_unit(samples, field).tolist()]
        replace_file(path, "\n".join(lines).encode())

    def read(self, path, field, *, fit=False):
        if path.suffix != ".txt":
            return super().read(path, field)
        return self.to_unit(torch.tensor([list(map(int, line.split())) for line in path.read_text().splitlines()]))


class Pulses(Dataset):
    """A few pulses."""

    def info(self, root: object) -> DatasetInfo:
        return DatasetInfo(fields={"real": Field((6,), "int16")}, size=20, kind="healthy:pulse", details={"rate": 70})

    def load(self, root: object, split: str = "train") -> Examples:
        beats = (torch.arange(120).view(20, 6) * 37 % 201 - 100).to(torch.int16)
        return Examples(tensors={"real": beats}, checksum="sha256:of nothing", origin="made")


class Dots(Dataset):
    """Noise of two kinds, drawn from a seed of its own.

    size: images to train on.
    """

    def __init__(self, *, size: int = 40) -> None:
        self.size = size

    def info(self, root: object) -> DatasetInfo:
        return DatasetInfo(
            fields={"real": Field((1, 6, 6), "uint8"), "label": Field.label(("dim", "bright"))}, size=self.size
        )

    def load(self, root: object, split: str = "train") -> Examples:
        stream = torch.Generator().manual_seed(1)
        labels = torch.arange(self.size) % 2
        noise = torch.randint(128, (self.size, 1, 6, 6), dtype=torch.uint8, generator=stream)
        images = noise + (127 * labels).to(torch.uint8)[:, None, None, None]
        digest = hashlib.sha256(images.numpy().tobytes()).hexdigest()
        tensors = {"real": images, "label": labels}
        return Examples(tensors=tensors, checksum=f"sha256:{digest}", origin="made", listing=f"size:{self.size}")

    def stream(self, root: object, split: str = "train") -> Source:
        return DotByDot(self.load(root, split))


class DotByDot(Source):
    """Some dots at a time."""

    def __init__(self, dots: Examples) -> None:
        self.dots = dots
        self.sizes = {key: len(tensor) for key, tensor in dots.tensors.items()}
        self.checksum, self.origin = dots.listing, dots.origin

    def fetch(self, key: str, rows: Sequence[int]) -> torch.Tensor:
        return self.dots.tensors[key][list(rows)]


def descent(params: object, *, lr: float = 0.01, momentum: float = 0.5) -> torch.optim.Optimizer:
    """Gradient descent. lr: the rate; momentum: of the steps."""
    return torch.optim.SGD(list(params), lr=lr, momentum=momentum)


class Fall(Schedule):
    """A straight line down. final: the factor at the end."""

    def __init__(self, *, final: float = 0.1) -> None:
        self.final = final

    def __call__(self, progress: float) -> float:
        return 1.0 - progress * (1.0 - self.final)


class Light(Metric):
    """How much brighter some of the generated samples are than real ones.

    share: of the generated samples.
    """

    gives: ClassVar = {"light": "up"}
    needs = "samples"

    def __init__(self, *, share: float = 0.5) -> None:
        self.share = share

    def __call__(self, real, fake, *, seed):
        chance = torch.Generator().manual_seed(seed)
        some = torch.randperm(len(fake), generator=chance)[: int(self.share * len(fake))]
        return {"light": (fake.raw[some].double().mean() - real.raw.double().mean()).item()}


class Squint(Extractor):
    """The means of nine patches, and how light or dark the whole is."""

    classifies = "other"

    def prepare(self, dataset, root):
        self.digest = "sha256:it has no weights"

    def forward(self, images):
        patches = torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, 3).mean(dim=1).flatten(1)
        light = patches.mean(dim=1)
        return Features(patches, torch.stack((light, 1 - light), dim=1))
