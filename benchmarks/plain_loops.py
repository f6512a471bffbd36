"""The loops that a tutorial would write, over the same networks: what ganzoo's steps are measured against.

Each draws from a DataLoader over torchvision's MNIST with ToTensor and Normalize, steps torch's Adam as it comes, puts
no `detach` anywhere, passes real and generated samples through the discriminator one after the other, and prints its
losses every batch (into the void), for which it waits for the device.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import TextIO

import torch
from torch import Tensor, nn

from ganzoo.core.data import DatasetInfo, Examples
from ganzoo.core.game import Game
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.parts import build_game

Play = Callable[[int], object]
"""Plays so many steps."""


def plain_loop(recipe: Recipe, info: DatasetInfo, examples: Examples, device: torch.device) -> Play:
    """The tutorial's loop for a two-player recipe: Wasserstein's with its penalty, or the binary cross-entropies."""
    return loop_over(build_game(recipe, info).to(device), recipe, examples, device)


def loop_over(game: Game, recipe: Recipe, examples: Examples, device: torch.device) -> Play:
    """The same over the networks of a game that is there."""
    generator, discriminator = game.players()["generator"], game.players()["discriminator"]
    real = batches(examples, recipe.train.batch_size, device)
    if recipe.loss is not None and recipe.loss.entry.name == "wasserstein":
        step = wasserstein_step(generator, discriminator, real, device, n_critic=int(game.n_critic))  # type: ignore[arg-type]
    else:
        step = cross_entropy_step(generator, nn.Sequential(discriminator, nn.Sigmoid()), real, device)

    def play(steps: int) -> None:
        for _ in range(steps):
            step()

    return play


def learns_the_same(recipe: Recipe, info: DatasetInfo) -> bool:
    """Whether the tutorial's loop is the recipe's algorithm, with its rates: then their scores may be compared, and not
    only their steps' times.
    """
    if recipe.game.entry.name != "two-player" or recipe.loss is None or recipe.generator is None or recipe.schedules:
        return False
    if recipe.generator.options.get("conditional"):
        return False
    penalties = [(rule.entry.name, rule.options.get("weight")) for rule in recipe.regularizers]
    rates = {(by.entry.name, by.options.get("lr"), by.options.get("betas")) for by in recipe.optimizers.values()}
    algorithm = (recipe.loss.entry.name, penalties, rates)
    fits = recipe.generator.options.get("latent_dim") == 100 and info.sample_shape[0] == 1
    if recipe.game.options["n_critic"] > 1 or penalties:
        return fits and algorithm == ("wasserstein", [("gradient-penalty", 10.0)], {("adam", 1e-4, (0.0, 0.9))})
    return fits and algorithm == ("non-saturating", [], {("adam", 2e-4, (0.5, 0.999))})


def batches(examples: Examples, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Real samples (N, 1, 28, 28), epoch after epoch, as torchvision's MNIST gives them: a PIL image each, then the
    transforms."""
    from PIL import Image
    from torch.utils.data import DataLoader
    from torchvision.datasets import VisionDataset
    from torchvision.transforms import Compose, Normalize, ToTensor

    images, labels = examples.tensors["real"].squeeze(1), examples.tensors["label"]

    class AsTorchvisionHasIt(VisionDataset):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(root=None, transform=Compose([ToTensor(), Normalize([0.5], [0.5])]))

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return self.transform(Image.fromarray(images[index].numpy())), int(labels[index])

    loader: DataLoader[tuple[Tensor, int]] = DataLoader(AsTorchvisionHasIt(), batch_size=batch_size, shuffle=True)
    for _ in count():
        yield from (samples.to(device) for samples, _ in loader)


def cross_entropy_step(
    generator: nn.Module, discriminator: nn.Module, real: Iterator[Tensor], device: torch.device
) -> Callable[[], None]:
    """A step of the original GAN, and of DCGAN. discriminator: gives probabilities."""
    criterion = nn.BCELoss()
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    void = the_void()

    def step() -> None:
        images = next(real)
        ones, zeros = torch.ones(len(images), device=device), torch.zeros(len(images), device=device)
        fake = generator(torch.randn(len(images), 100, device=device))
        discriminator_optimizer.zero_grad()
        loss_d = (criterion(discriminator(images), ones) + criterion(discriminator(fake), zeros)) / 2
        loss_d.backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        loss_g = criterion(discriminator(generator(torch.randn(len(images), 100, device=device))), ones)
        loss_g.backward()
        generator_optimizer.step()
        print(f"[D loss: {loss_d.item():f}] [G loss: {loss_g.item():f}]", file=void)

    return step


def wasserstein_step(
    generator: nn.Module, critic: nn.Module, real: Iterator[Tensor], device: torch.device, *, n_critic: int
) -> Callable[[], None]:
    """A step of WGAN-GP: so many of the critic's, one of the generator's."""
    generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=(0.0, 0.9))
    critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-4, betas=(0.0, 0.9))
    void = the_void()

    def penalty(images: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(len(images), 1, 1, 1, device=device)
        between = (share * images + (1 - share) * fake).requires_grad_(True)
        scores = critic(between)
        (slope,) = torch.autograd.grad(scores, between, torch.ones_like(scores), create_graph=True, retain_graph=True)
        norms: Tensor = slope.view(len(slope), -1).norm(2, dim=1)
        return ((norms - 1) ** 2).mean()

    def step() -> None:
        for _ in range(n_critic):
            images = next(real)
            fake = generator(torch.randn(len(images), 100, device=device))
            critic_optimizer.zero_grad()
            loss_d = critic(fake).mean() - critic(images).mean() + 10.0 * penalty(images, fake)
            loss_d.backward()
            critic_optimizer.step()
        generator_optimizer.zero_grad()
        loss_g = -critic(generator(torch.randn(len(images), 100, device=device))).mean()
        loss_g.backward()
        generator_optimizer.step()
        print(f"[D loss: {loss_d.item():f}] [G loss: {loss_g.item():f}]", file=void)

    return step


@cache
def the_void() -> TextIO:
    """Where what is printed goes, of all loops."""
    void = Path(os.devnull).open("w")  # noqa: SIM115  # open for as long as the process is
    atexit.register(void.close)
    return void
