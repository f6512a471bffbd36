"""Kinds of samples: stored, seen by networks, drawn, written to files and read back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from ganzoo.core.data import Dataset, DatasetInfo, Field
from ganzoo.errors import DatasetUnavailable, GanzooError
from ganzoo.kinds.kind import Kind, Media
from ganzoo.plugins import zoo
from ganzoo.recipe.field_kinds import FieldKinds
from ganzoo.testing.checks import Check
from ganzoo.testing.failure import Failure, NotChecked, require
from ganzoo.testing.network import described
from ganzoo.testing.offline import offline
from ganzoo.testing.streams import streams
from ganzoo.testing.subject import Subject
from ganzoo.testing.synthetic import stored_examples

N = 7
"""Samples that are drawn, written and read."""

FEW = 10_000
"""Examples up to which a data set is loaded for its samples; of larger ones samples are made up."""

PICTURES = (".png", ".gif")
"""Files to look at: what they hold is not read back as it was."""


def kind_checks(subject: Subject, needs: list[Check]) -> Iterator[Check]:
    """Of a kind."""
    fixture = KindFixture(subject)

    def check(asks: str, question: Callable[[KindFixture], None], *before: Check) -> Check:
        return Check(str(subject), asks, question, lambda: fixture, needs=[*needs, *before])

    seen = check("shows networks what it says", shows_networks)
    back = check("gives back what is stored", gives_back, seen)
    yield from (seen, back)
    yield check("draws any number of samples", draws, seen)
    yield check("writes what it reads", writes_what_it_reads, seen, back)
    yield check("refuses other files", refuses_other_files, seen)
    yield check("has numbers to compare by", has_coarse_numbers, seen)
    yield check("has media of known types", has_media, seen)


class KindFixture:
    """A kind with the options of a data set that chooses it, and samples of it.

    Properties that can fail are evaluated when used.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @cached_property
    def data(self) -> tuple[Subject, DatasetInfo, str]:
        """A data set with such samples, its own plugin's first and then the smallest; its info, and the key.

        Raises: NotChecked where none can be described without files.
        """
        found: list[tuple[bool, int, int, Subject, DatasetInfo, str]] = []
        for entry in zoo().entries("dataset"):
            dataset = Subject(entry)
            try:
                info = described([dataset.choice])
            except (NotChecked, GanzooError):
                continue
            keys = [key for key in info.gives if self.is_of(info.kind_of(key))] if info else []
            if info and keys:
                found.append((entry.plugin != self.subject.entry.plugin, info.size, len(found), dataset, info, keys[0]))
        if not found:
            raise NotChecked("no installed data set that needs no files has samples of this kind", blocks=True)
        *_, dataset, info, key = min(found)
        return dataset, info, key

    def is_of(self, name: str) -> bool:
        """Whether a name on the shelf means this kind."""
        try:
            return bool(name) and zoo().find("kind", name) == self.subject.entry
        except GanzooError:
            return False

    @cached_property
    def kinds(self) -> FieldKinds:
        """The kinds of that data set's fields."""
        return FieldKinds(self.data[1])

    @property
    def kind(self) -> Kind:
        """The kind itself."""
        made = self.kinds.kinds[self.data[2]]
        if not isinstance(made, Kind):
            raise Failure(f"it is a {type(made).__name__}.", "inherit from ganzoo.Kind.")
        return made

    @property
    def field(self) -> Field:
        """How the samples are stored."""
        return self.data[1].fields[self.data[2]]

    @cached_property
    def stored(self) -> Tensor:
        """Samples as they are stored: the data set's, or made up where they are many or need files."""
        subject, info, key = self.data
        if info.size <= FEW:
            dataset: Dataset = subject.build()
            with tempfile.TemporaryDirectory() as folder, offline():
                try:
                    return dataset.load(Path(folder), "train").tensors[key][:N]
                except DatasetUnavailable:
                    pass
        return stored_examples(self.kinds, key, N, torch.Generator().manual_seed(0))

    @cached_property
    def samples(self) -> Tensor:
        """The same as networks see them."""
        return self.kind.to_unit(self.stored.clone())


def shows_networks(fixture: KindFixture) -> None:
    """`to_unit` gives float32 of the shape that `unit_shape` says, finite and within `bounds`, and changes nothing."""
    kind, stored = fixture.kind, fixture.stored
    given = stored.clone()
    samples = kind.to_unit(given)
    right = (len(stored), *kind.unit_shape(fixture.field.shape))
    found = f"samples {tuple(stored.shape)} become {tuple(samples.shape)}, and unit_shape says {right}."
    require(tuple(samples.shape) == right, found, "make unit_shape and to_unit agree.")
    require(samples.dtype == torch.float32, f"networks see {samples.dtype}.", "return float32.")
    require(samples.isfinite().all(), "networks see numbers that are not finite.")
    require(torch.equal(given, stored), "to_unit changed what is stored in place.", "work on a copy.")
    if kind.bounds is not None:
        low, high = (end.item() for end in samples.aminmax())
        found = f"networks see numbers from {low:.4g} to {high:.4g}, and bounds is {kind.bounds}."
        within = kind.bounds[0] - 1e-6 <= low and high <= kind.bounds[1] + 1e-6
        require(within, found, "scale in to_unit, or set bounds = None for samples that may be anywhere.")


def gives_back(fixture: KindFixture) -> None:
    """`from_unit` is the inverse of `to_unit`: what was stored comes back in its shape, dtype and values."""
    stored = fixture.stored
    back = fixture.kind.from_unit(fixture.samples.clone(), fixture.field)
    remedy = "undo in from_unit what to_unit does; round, do not cut off; return the field's dtype."
    found = f"{tuple(stored.shape)} {stored.dtype} comes back as {tuple(back.shape)} {back.dtype}."
    require(back.shape == stored.shape and back.dtype == fixture.field.torch_dtype, found, remedy)
    require(alike(back, stored), f"what is stored comes back {furthest(back, stored)} away.", remedy)


def draws(fixture: KindFixture) -> None:
    """`picture` makes a PIL image of one sample and of several, in rows where `columns` says so, and draws nothing at
    random and changes no sample."""
    kind, samples = fixture.kind, fixture.samples
    before, kept = streams(), samples.clone()
    for some, columns in ((samples[:1], None), (samples, None), (samples[:6], 3)):
        real = samples if kind.drawn_on_real else None
        with torch.no_grad():
            made = kind.picture(some, columns=columns, real=real)
        if not isinstance(made, Image):
            raise Failure(f"picture returns a {type(made).__name__}.", "return a PIL.Image.Image.")
        big = made.width > 1 and made.height > 1
        require(big, f"{len(some)} samples are drawn as {made.width} x {made.height} pixels.", "draw each of them.")
    require(torch.equal(samples, kept), "picture changed the samples in place.", "work on a copy.")
    require(streams() == before, "picture draws random numbers.", "a picture of the same samples is the same.")


def writes_what_it_reads(fixture: KindFixture) -> None:
    """Samples written in each of `endings` are there again when `read`, pictures apart; an .npz holds what is named."""
    kind, field, stored = fixture.kind, fixture.field, fixture.stored
    labels = torch.arange(N)
    for ending in kind.endings:
        for samples, held in ((fixture.samples, stored), (fixture.samples[:1], stored[:1])):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"samples{ending}"
                kind.write(samples, path, field, {"label": labels[: len(samples)]})
                left = [each.name for each in Path(folder).iterdir()]
                require(left == [path.name], f"writing {path.name} leaves {left}.", "write that file, and no other.")
                if ending in PICTURES:
                    continue
                back = kind.from_unit(kind.read(path, field), field)
                found = f"{ending}: {tuple(held.shape)} written, {tuple(back.shape)} read."
                remedy = "read what write makes, of one sample and of several."
                require(back.shape == held.shape, found, remedy)
                require(alike(back, held), f"{ending}: what is read is {furthest(back, held)} away.", remedy)
                if ending == ".npz":
                    with np.load(path) as arrays:
                        kept = "label" in arrays and bool((arrays["label"] == labels[: len(samples)].numpy()).all())
                    require(kept, "the .npz lacks the conditions.", "leave .npz to super().write(..., named).")


def refuses_other_files(fixture: KindFixture) -> None:
    """A file of an ending that is not in `endings` is refused with a GanzooError, and nothing is written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.other"
        for asked in ("write", "read"):
            try:
                if asked == "write":
                    fixture.kind.write(fixture.samples, path, fixture.field)
                else:
                    fixture.kind.read(path, fixture.field)
            except GanzooError:
                require(not path.exists(), "it refuses a file, and leaves one.", "refuse before anything is written.")
                continue
            raise Failure(f'{asked} takes a file "samples.other".', "leave other endings to super().")


def has_coarse_numbers(fixture: KindFixture) -> None:
    """`coarse` gives a few finite numbers (n, d) for each sample by itself, by which near copies are found."""
    samples = fixture.samples
    made = fixture.kind.coarse(samples)
    right = len(made.shape) == 2 and len(made) == len(samples) and made.shape[1] > 0
    require(right, f"coarse gives {tuple(made.shape)} for {len(samples)} samples.", "return (n, d).")
    require(made.isfinite().all(), "coarse gives numbers that are not finite.")
    alone = torch.cat([fixture.kind.coarse(sample) for sample in samples.split(1)])
    close = torch.allclose(made, alone, rtol=1e-4, atol=1e-5)
    require(close, "a sample's coarse numbers depend on the others with it.", "nothing over the batch.")


def has_media(fixture: KindFixture) -> None:
    """`media` gives what a page shows beside the picture: each with a MIME type and content."""
    for made in fixture.kind.media(fixture.samples):
        right = isinstance(made, Media) and "/" in made.type and isinstance(made.content, bytes) and made.content
        remedy = 'return ganzoo.Media("audio/wav", content) for each.'
        require(right, f"media gives {str(made)[:80]}.", remedy)


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether stored samples are the same: exactly for integers, to rounding for floating point."""
    if not one.is_floating_point():
        return torch.equal(one, other)
    return torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def furthest(one: Tensor, other: Tensor) -> str:
    """The largest difference between stored samples, for messages."""
    return f"up to {(one.double() - other.double()).abs().max().item():.4g}"
