"""The two-player game of Goodfellow et al. (2014, arXiv:1406.2661), Algorithm 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn

from ganzoo.core.conditions import conditioned, conditions_of, given
from ganzoo.core.data import Batch
from ganzoo.core.game import Draw, Game, Move, Parts, Preview
from ganzoo.core.interfaces import Loss, Regularizer
from ganzoo.core.scores import chance, over_scales, scales
from ganzoo.errors import OptionError

Truncation = Annotated[float, Interval(gt=0.0, le=100.0)]

MOST_COLUMNS = 32
"""Classes up to which a preview has a column for each."""


class TwoPlayer(Game):
    """One generator against one discriminator (or critic), under any loss, regularizers and augmentations.

    What the networks are conditioned on comes from the batch: with a generator and a discriminator that take a label,
    this is the conditional GAN (Mirza and Osindero, 2014, arXiv:1411.1784).

    n_critic: discriminator moves for each generator move, every one on fresh real samples and fresh latents (the
        paper's k).
    Raises: OptionError for a condition that only one of the players knows.
    """

    def __init__(self, parts: Parts, *, n_critic: Annotated[int, Ge(1)] = 1) -> None:
        super().__init__()
        self.generator = parts.generator()
        self.discriminator = parts.discriminator()
        self.loss: Loss = parts.loss()
        self.regularizers = nn.ModuleList(parts.regularizers())
        self.augmentations = nn.ModuleList(parts.augmentations())
        self.n_critic = n_critic
        self.conditions = conditions_of(self.generator)
        seen = (self.generator, self.discriminator, *self.augmentations)
        self.needs = tuple(dict.fromkeys(("real", *(key for network in seen for key in conditions_of(network)))))
        self.classes = len(parts.info.classes) if "label" in self.conditions else 0
        if type(self) is TwoPlayer:  # a game derived from it may teach a condition in another way
            self.refuse_unshared_conditions()

    def refuse_unshared_conditions(self) -> None:
        """Refuses a condition that only one player knows: under Eq. 2 of arXiv:1411.1784, both do.

        What an augmentation reads, the discriminator sees in the samples. Raises: OptionError.
        """
        seen = {key for augmentation in self.augmentations for key in conditions_of(augmentation)}
        made_of, judged_by = set(conditions_of(self.generator)), set(conditions_of(self.discriminator))
        remedy = "Condition both or neither: networks with the option take conditional = true or false."
        if unjudged := made_of - judged_by - seen:
            keys = " and ".join(sorted(unjudged))
            what = f"the generator is conditioned on {keys} and the discriminator is not: samples of the wrong {keys}"
            raise OptionError(f"{what} would cost nothing, so that the generator would not learn it.", remedy=remedy)
        if unmade := judged_by - made_of - seen:
            keys = " and ".join(sorted(unmade))
            what = f"the discriminator is conditioned on {keys} and the generator is not: it could never make samples"
            raise OptionError(f"{what} that go with the {keys} they are judged by.", remedy=remedy)

    def players(self) -> Mapping[str, nn.Module]:
        """The discriminator and the generator."""
        return {"discriminator": self.discriminator, "generator": self.generator}

    def play(self, draw: Draw) -> Iterator[Move]:
        """The textbook's six steps, each marked; where a `yield` is, the engine updates the player named."""
        for _ in range(self.n_critic):
            batch = draw()  # 1. real samples and their conditions
            fake = self.sample(len(batch["real"]), batch)  # 2. generated samples; no gradients for the generator
            yield self.discriminator_move(batch, fake)  # 3. the discriminator learns to tell them apart
            self.constrain("discriminator")
        fake = self.generate(batch)  # 4. new latents, new samples
        real_scores = self.score(batch["real"], batch) if self.loss.needs_real_scores else None
        fake_scores = self.score(fake, batch)  # 5. scores of the updated discriminator
        yield self.generator_move(batch, fake, fake_scores, real_scores)  # 6. the generator learns to fool it
        self.constrain("generator")

    def generate(self, batch: Batch) -> Tensor:
        """As many samples (N, *sample_shape) as the batch has real ones, from fresh latents, on its conditions."""
        samples: Tensor = conditioned(self.generator, self.generator.latents(len(batch["real"])), batch)
        return samples

    def score(self, samples: Tensor, batch: Batch) -> Any:
        """The discriminator's scores of samples (N, *sample_shape), augmented, on the batch's conditions."""
        return conditioned(self.discriminator, self.augment(samples, batch), batch)

    def augment(self, samples: Tensor, batch: Batch) -> Tensor:
        """samples (N, *sample_shape) as the discriminator sees them."""
        for augmentation in self.augmentations:
            samples = conditioned(augmentation, samples, batch)
        return samples

    def discriminator_move(self, batch: Batch, fake: Tensor) -> Move:
        """fake (N, *sample_shape) -> the discriminator's move: the loss, plus every penalty on the shelf."""
        real, fake = self.augment(batch["real"], batch), self.augment(fake, batch)
        real_scores, fake_scores = self.scores(real, fake, batch)
        loss = over_scales(self.loss.discriminator, real_scores, fake_scores)
        loss = self.penalized(loss, "discriminator", batch, real, fake)
        return Move("discriminator", loss, self.logged(real_scores, fake_scores))

    def generator_move(self, batch: Batch, fake: Tensor, fake_scores: Any, real_scores: Any) -> Move:
        """The generator's move, from the discriminator's scores: the loss, plus the penalties on the generator."""
        loss = over_scales(self.loss.generator, fake_scores, real_scores)
        return Move("generator", self.penalized(loss, "generator", batch, batch["real"], fake.detach()))

    def penalized(self, loss: Tensor, player: str, batch: Batch, real: Tensor, fake: Tensor) -> Tensor:
        """The loss plus every penalty on that player that is due."""
        for rule in self.rules(player):
            penalty = rule.penalty(given(self.players()[player], batch), real, fake)
            loss = loss if penalty is None else loss + penalty
        return loss

    def logged(self, real_scores: Any, fake_scores: Any) -> Mapping[str, Tensor]:
        """What a discriminator's move logs: D(x), D(G(z)), and what the loss makes of the scores."""
        real, fake = ([each.detach() for each in scales(scores)] for scores in (real_scores, fake_scores))
        for augmentation in self.augmentations:
            augmentation.adapt(real[0])  # type: ignore[operator]  # a ModuleList knows only that they are modules
        return {**self.loss.metrics(real[0], fake[0]), "d_real": chance(real), "d_fake": chance(fake)}

    def scores(self, real: Tensor, fake: Tensor, batch: Batch) -> tuple[Any, Any]:
        """The discriminator's scores of both, in one pass where it looks at each sample by itself."""
        network = self.discriminator
        if getattr(network, "per_sample", False) and len(real) == len(fake):
            twice = {key: torch.cat((batch[key], batch[key])) for key in conditions_of(network)}
            both = conditioned(network, torch.cat((real, fake)), twice)
            if isinstance(both, Tensor):
                real_scores, fake_scores = both.chunk(2)
                return real_scores, fake_scores
            halves = [each.chunk(2) for each in both]
            return [half[0] for half in halves], [half[1] for half in halves]
        return conditioned(network, real, batch), conditioned(network, fake, batch)

    def constrain(self, player: str) -> None:
        """Applies what holds that player's weights in bounds, right after its step."""
        for rule in self.rules(player):
            rule.constrain(self.players()[player])

    def rules(self, player: str) -> tuple[Regularizer, ...]:
        """The regularizers of a player (a ModuleList only knows that they are modules)."""
        return tuple(rule for rule in self.regularizers if isinstance(rule, Regularizer) and rule.player == player)

    @torch.no_grad()
    def sample(self, n: int, conditions: Batch | None = None, *, truncation: Truncation | None = None) -> Tensor:
        """n samples (n, *sample_shape) of the generator, from fresh latents.

        truncation: latents are cut off at plus and minus this; the smaller, the more typical and the less varied.
        """
        options = {} if truncation is None else {"truncation": truncation}
        samples: Tensor = conditioned(self.generator, self.generator.latents(n, **options), conditions or {})
        return samples

    def preview(self, batch: Batch) -> Mapping[str, Tensor | Preview]:
        """As many samples as the batch has real ones; with labels, a column for each class."""
        n = len(batch["real"])
        if not 0 < self.classes <= min(n, MOST_COLUMNS):
            return {"samples": self.sample(n, batch)}
        n -= n % self.classes
        rest = {key: batch[key][:n] for key in self.conditions}
        label = torch.arange(n, device=batch["label"].device) % self.classes
        return {"samples": Preview(self.sample(n, {**rest, "label": label}), columns=self.classes)}
