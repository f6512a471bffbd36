"""Kinds of samples that ganzoo has never heard of."""

import io
import wave

import numpy as np
import torch
from PIL import Image, ImageDraw

from ganzoo import Kind, Media, replace_file


def lines(rows, height=48):
    """Curves (n, length) in [-1, 1], one below the other."""
    page = Image.new("L", (200, height * len(rows)), 255)
    draw = ImageDraw.Draw(page)
    for number, row in enumerate(rows.detach().cpu().float()):
        shown = row[:: max(1, len(row) // 200)].clamp(-1, 1)
        across = torch.linspace(0, 199, len(shown))
        down = height * (number + 0.5) - shown * (height / 2 - 1)
        draw.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=0)
    return page


def tiles(frames, columns):
    """Grey pictures (n, height, width) in [-1, 1], so many in a row."""
    pixels = ((frames.detach().cpu().float().clamp(-1, 1) + 1) * 127.5).to(torch.uint8).numpy()
    blank = np.zeros((-len(pixels) % columns, *pixels.shape[1:]), np.uint8)
    rows = np.concatenate((pixels, blank)).reshape(-1, columns, *pixels.shape[1:])
    return Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows]))


class Waveform(Kind):
    """Sound (1, length) of 16 bits.

    rate: samples a second.
    """

    plural = "recordings"
    bounds = (-1.0, 1.0)
    endings = (".npy", ".npz", ".wav")

    def __init__(self, *, rate: int) -> None:
        self.rate = rate

    def to_unit(self, stored):
        return stored.float() / 32767

    def from_unit(self, samples, field):
        return (samples.detach().float().clamp(-1, 1) * 32767).round().to(field.torch_dtype)

    def picture(self, samples, *, columns=None, real=None):
        return lines(samples[:, 0])

    def media(self, samples):
        return [Media("audio/wav", self.sound(sample[None]), "recording") for sample in samples]

    def sound(self, samples):
        content = io.BytesIO()
        with wave.open(content, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes((samples * 32767).round().to(torch.int16).cpu().numpy().tobytes())
        return content.getvalue()

    def write(self, samples, path, field, extra=None):
        if path.suffix != ".wav":
            super().write(samples, path, field, extra)
        else:
            replace_file(path, self.sound(samples))

    def read(self, path, field, *, fit=False):
        if path.suffix != ".wav":
            return super().read(path, field)
        with wave.open(str(path)) as file:
            frames = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return self.to_unit(torch.from_numpy(frames.copy()).view(-1, *field.shape))


class Token(Kind):
    """Text (length,) of letters, of which networks see a share for each letter of the alphabet: (length, letters).

    alphabet: the letters, in the order of their numbers.
    """

    plural = "words"
    bounds = (0.0, 1.0)
    endings = (".npy", ".npz", ".txt")

    def __init__(self, *, alphabet: str) -> None:
        self.alphabet = alphabet

    def unit_shape(self, shape):
        return (*shape, len(self.alphabet))

    def to_unit(self, stored):
        return torch.nn.functional.one_hot(stored, len(self.alphabet)).float()

    def from_unit(self, samples, field):
        return samples.detach().argmax(-1).to(field.torch_dtype)

    def texts(self, samples):
        return ["".join(self.alphabet[letter] for letter in row) for row in samples.argmax(-1).tolist()]

    def picture(self, samples, *, columns=None, real=None):
        texts = self.texts(samples)
        page = Image.new("L", (8 * len(texts[0]) + 8, 14 * len(texts) + 8), 255)
        ImageDraw.Draw(page).multiline_text((4, 4), "\n".join(texts), fill=0)
        return page

    def media(self, samples):
        return [Media("text/plain", text.encode()) for text in self.texts(samples)]

    def write(self, samples, path, field, extra=None):
        if path.suffix != ".txt":
            super().write(samples, path, field, extra)
        else:
            replace_file(path, "".join(f"{text}\n" for text in self.texts(samples)).encode())

    def read(self, path, field, *, fit=False):
        if path.suffix != ".txt":
            return super().read(path, field)
        rows = [[self.alphabet.index(letter) for letter in line] for line in path.read_text().splitlines()]
        return self.to_unit(torch.tensor(rows))


class Clip(Kind):
    """Films (frames, channels, height, width) of 8 bits."""

    plural = "clips"
    bounds = (-1.0, 1.0)

    def to_unit(self, stored):
        return stored.float() / 127.5 - 1

    def from_unit(self, samples, field):
        return ((samples.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(field.torch_dtype)

    def picture(self, samples, *, columns=None, real=None):
        return tiles(samples.mean(2).flatten(0, 1), samples.shape[1])


class Volume(Kind):
    """Volumes (1, depth, height, width) of 8 bits, drawn as the slice in their middle."""

    plural = "volumes"
    bounds = (-1.0, 1.0)

    def to_unit(self, stored):
        return stored.float() / 127.5 - 1

    def from_unit(self, samples, field):
        return ((samples.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(field.torch_dtype)

    def picture(self, samples, *, columns=None, real=None):
        return tiles(samples[:, 0, samples.shape[2] // 2], columns or 8)


class Row(Kind):
    """Rows of a table (columns,), of any numbers.

    columns: their names; scales: what a column's numbers are divided by.
    """

    plural = "rows"
    endings = (".npy", ".npz", ".csv")

    def __init__(self, *, columns: tuple[str, ...], scales: tuple[float, ...]) -> None:
        self.columns = tuple(columns)
        self.scales = torch.tensor(scales)

    def to_unit(self, stored):
        return stored.float() / self.scales.to(stored.device)

    def from_unit(self, samples, field):
        return (samples.detach().float() * self.scales.to(samples.device)).to(field.torch_dtype)

    def picture(self, samples, *, columns=None, real=None):
        return lines((samples / 3).T)

    def write(self, samples, path, field, extra=None):
        if path.suffix != ".csv":
            super().write(samples, path, field, extra)
            return
        rows = self.from_unit(samples, field).tolist()
        text = [",".join(self.columns), *(",".join(f"{value:.9g}" for value in row) for row in rows)]
        replace_file(path, "\n".join(text).encode())

    def read(self, path, field, *, fit=False):
        if path.suffix != ".csv":
            return super().read(path, field)
        rows = [[float(value) for value in line.split(",")] for line in path.read_text().splitlines()[1:]]
        return self.to_unit(torch.tensor(rows))


class Series(Kind):
    """Several quantities over time (steps, quantities)."""

    plural = "series"

    def picture(self, samples, *, columns=None, real=None):
        return lines(samples.transpose(1, 2).flatten(0, 1))
