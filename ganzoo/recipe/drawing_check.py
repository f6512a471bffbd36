"""Draws and writes one sample before training: what could not be drawn would fail at the first grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ganzoo.core.data import Batch, DatasetInfo, Shape
from ganzoo.core.game import Game, Preview, as_preview, makes_samples
from ganzoo.recipe.model import Recipe
from ganzoo.recipe.shape_errors import Mismatch, MismatchError, RecordingParts, reason_and_place


class DrawingCheck:
    """Checks what a game's `preview` and `sample` give, and that the data's kind draws and writes such samples.

    data: what the data set holds, in words for messages.
    """

    def __init__(self, recipe: Recipe, parts: RecordingParts, info: DatasetInfo, data: str) -> None:
        self.game_name = recipe.game.entry.name
        self.info = info
        self.kind = parts.kinds.sample
        self.field = parts.kinds.sample_field
        self.shape: Shape = parts.shapes[info.sample_key]
        self.known = {parts.shapes[key] for key in info.gives if parts.kinds.kinds[key]}
        self.data = data

    def check(self, game: Game, real: Batch, conditions: Batch, n: int) -> None:
        """Looks at the preview of a batch of n, and at n samples. conditions: what those are made for.

        Raises: MismatchError, or what the game raises.
        """
        game.eval()
        with torch.no_grad():
            pictures = self.pictures(game.preview(real))
            if makes_samples(game):
                pictures.append(Preview(self.samples(game.sample(n, conditions or None))))
        seen: set[tuple[Shape, int | None]] = set()
        for made in pictures:
            drawn = (tuple(made.samples.shape[1:]), made.columns)
            if drawn not in seen:
                self.draw(*drawn)
                seen.add(drawn)
        self.write()

    def pictures(self, made: Any) -> list[Preview]:
        """What `preview` gave, in full. Raises: MismatchError where it is no mapping of names to samples."""
        if not isinstance(made, Mapping) or not made:
            what = "nothing" if isinstance(made, Mapping) else type(made).__name__
            raise self.mismatch(f"gives {what} as its preview", "It should give a name and samples for each picture.")
        found = {name: as_preview(value) for name, value in made.items()}
        for name, each in found.items():
            if not isinstance(name, str) or set(name) & set('/\\:*?"<>|'):
                raise self.mismatch(f"names a picture {name!r}", "The name becomes a part of a file's name.")
            if not isinstance(each.samples, Tensor) or not each.samples.shape or not len(each.samples):
                what = self.said(each.samples)
                raise self.mismatch(f'gives {what} as the preview "{name}"', "It should give samples (n, ...).")
            if each.columns is not None and (not isinstance(each.columns, int) or each.columns < 1):
                raise self.mismatch(f'asks for {each.columns!r} columns in the preview "{name}"', "1, 2, ... or None.")
        return list(found.values())

    def samples(self, made: Any) -> Tensor:
        """What `sample` gave. Raises: MismatchError where it is of another shape than the data."""
        if not isinstance(made, Tensor) or tuple(made.shape[1:]) != self.shape or not made.is_floating_point():
            right = f"(n, {', '.join(map(str, self.shape))}), floating point"
            raise self.mismatch(f"gives {self.said(made)} as samples, and {self.data}", f"It should give {right}.")
        return made

    def draw(self, shape: Shape, columns: int | None) -> None:
        """Draws a row of samples of that shape, with random numbers in the range of the kind."""
        real = self.random(1, self.shape) if "real" in self.info.gives else None
        try:
            self.kind.picture(self.random(columns or 1, shape), columns=columns, real=real)
        except Exception as error:
            if shape in self.known:
                raise self.refused(shape, "drawn", error) from error
            what = f'gives {shape} in its preview, which the kind "{self.info.kind}" cannot draw'
            remedy = f"It says: {reason_and_place(error)} The data are {self.shape}."
            raise self.mismatch(what, remedy) from error

    def write(self) -> None:
        """Writes one sample of the data's shape to a file of each of the kind's endings, and makes its media."""
        sample = self.random(1, self.shape)
        with TemporaryDirectory() as folder:
            for ending in self.kind.endings:
                try:
                    self.kind.write(sample, Path(folder) / f"sample{ending}", self.field)
                except Exception as error:
                    raise self.refused(self.shape, f"written to {ending} files", error) from error
        try:
            list(self.kind.media(sample))
        except Exception as error:
            raise self.refused(self.shape, "shown on pages (Kind.media)", error) from error

    def random(self, n: int, shape: Shape) -> Tensor:
        """n samples as a network might make them, on the CPU."""
        low, high = self.kind.bounds or (-1.0, 1.0)
        return torch.rand(n, *shape) * (high - low) + low

    def refused(self, shape: Shape, what: str, error: Exception) -> MismatchError:
        """The mistake of a kind that raises."""
        said = f'samples {shape} of the kind "{self.info.kind}" cannot be {what}: {reason_and_place(error)}'
        return MismatchError(Mismatch("dataset", said))

    def mismatch(self, what: str, remedy: str) -> MismatchError:
        """A mistake of the game's."""
        return MismatchError(Mismatch("game", f'the game "{self.game_name}" {what}.', remedy))

    @staticmethod
    def said(made: Any) -> str:
        """A tensor's shape, or what there is instead."""
        if not isinstance(made, Tensor):
            return type(made).__name__
        kind = "" if made.is_floating_point() else f" {str(made.dtype).removeprefix('torch.')}"
        return f"{tuple(made.shape)}{kind}"
