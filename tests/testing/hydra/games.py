"""Games of networks with several outputs."""

import torch
from torch.nn.functional import cross_entropy

from ganzoo import Game, Move, Parts, over_scales


class Two(Game):
    """A generator against a discriminator."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.generator, self.discriminator, self.loss = parts.generator(), parts.discriminator(), parts.loss()

    def players(self):
        return {"discriminator": self.discriminator, "generator": self.generator}

    def preview(self, batch):
        return {"samples": self.sample(len(batch["real"]), batch)}


class Classes(Two):
    """The discriminator also says which class an image is of, and both learn from that (ACGAN, arXiv:1610.09585)."""

    needs = ("real", "label")
    conditions = ("label",)

    def seen(self, samples):
        made = self.discriminator(samples)
        return made if isinstance(made, tuple) else (made, self.discriminator.classify(samples))

    def play(self, draw):
        batch = draw()
        real, label = batch["real"], batch["label"]
        (real_scores, real_classes), (fake_scores, fake_classes) = (
            self.seen(real),
            self.seen(self.sample(len(real), batch)),
        )
        told = cross_entropy(real_classes, label) + cross_entropy(fake_classes, label)
        yield Move("discriminator", self.loss.discriminator(real_scores, fake_scores) + told)
        scores, classes = self.seen(self.generator(self.generator.latents(len(real)), label))
        yield Move("generator", self.loss.generator(scores) + cross_entropy(classes, label))

    @torch.no_grad()
    def sample(self, n, conditions=None):
        return self.generator(self.generator.latents(n), conditions["label"])


class Layers(Two):
    """A sample is an image in front of another one, by the mask that the generator makes of both."""

    def made(self, n):
        front, back, mask = self.generator(self.generator.latents(n))
        return mask * front + (1 - mask) * back

    def play(self, draw):
        real = draw()["real"]
        fake = self.sample(len(real))
        yield Move(
            "discriminator", over_scales(self.loss.discriminator, self.discriminator(real), self.discriminator(fake))
        )
        yield Move("generator", over_scales(self.loss.generator, self.discriminator(self.made(len(real))), None))

    @torch.no_grad()
    def sample(self, n, conditions=None):
        return self.made(n)

    def walk(self, n, conditions=None, *, stops, frames, closed=False):
        for _ in range(stops * frames):
            yield self.sample(n)
