"""Mutants of files: a seed, the content of a sound file, and what became of it."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tarfile
from pathlib import Path

from PIL import Image

REPOSITORY = Path(__file__).parents[2]
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

VALUES = (
    "nan", "-inf", "1e999", "-1", "0", "true", '""', '"\\u0000"', "[]", "{}", "[[]]", "[{}]", "2024-01-01", "0x7f",
    "1e5", "9223372036854775808", '"../../etc/passwd"', '"/dev/zero"', '"\\u001b[31m"', "12:30:00", "[1, 'a']",
    "{name = 5}", '"' + "long" * 500 + '"', "[" * 40 + "]" * 40, "'''\n'''", "{a = {b = {c = 1}}}",
)  # fmt: skip
LINES = (
    "[generator]", "[[regularizer]]", "[train.stop]", "[optimizer]", "[train.steps]", 'extends = "mine.toml"',
    "unset = [1]", 'extends = "/dev/zero"', "= 1", "a.b.c.d = 1", '"" = 1', "'\\' = 1", ".".join("a" * 40) + " = 1",
    "[", "]]", "#\t", '[entry]', "[[entry]]", "[[score]]", "seeds = 1", "set = 5", 'fallback = ["glyphs"]', "name = 5",
    "[ema]\nplayers = 3",
)  # fmt: skip


def mutated_bytes(content: bytes, draw: random.Random) -> bytes:
    """One to eight changes of bytes: flipped, replaced by a telling number, cut out, repeated, or cut off."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        at = draw.randrange(len(data) + 1)
        if draw.random() < 0.4:
            at = min(at, draw.randrange(200))  # headers are what readers trust
        match draw.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                number = struct.pack(draw.choice(("<I", ">I")), draw.choice(NUMBERS))[: draw.choice((1, 2, 4))]
                data[at : at + len(number)] = number
            case 2:
                del data[at : at + draw.randrange(1, 64)]
            case 3:
                data[at:at] = data[at : at + draw.randrange(1, 256)] * draw.randrange(1, 4)
            case 4:
                data[at:at] = draw.randbytes(draw.randrange(1, 32))
            case _ if draw.random() < 0.3:
                del data[at:]
    return bytes(data)


def mutated_toml(text: str, draw: random.Random) -> bytes:
    """One to four changes of lines and values, or of bytes."""
    if draw.random() < 0.25:
        return mutated_bytes(text.encode(), draw)
    lines = text.splitlines()
    for _ in range(draw.randrange(1, 5)):
        at = draw.randrange(len(lines))
        match draw.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, draw.choice(lines))
            case 2:
                lines.insert(at, draw.choice(LINES))
            case 3 if "=" in lines[at]:
                lines[at] = f"{lines[at].partition('=')[0]}= {draw.choice(VALUES)}"
            case 4 if "=" in lines[at]:
                key, _, value = lines[at].partition("=")
                lines[at] = f"{draw.choice((key.strip().upper(), f'{key.strip()}.x', f'x.{key}', 'name'))} ={value}"
            case _:
                other = draw.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        lines = lines or [""]
    return "\n".join(lines).encode()


def image(kind: str, draw: random.Random) -> bytes:
    """A small picture of a format, in one of the modes that it has."""
    modes = {"PNG": ("L", "RGB", "RGBA", "P", "I;16"), "TIFF": ("L", "RGB", "I;16", "F")}.get(kind, ("L", "RGB"))
    picture = Image.effect_noise((24, 18), 60).convert("RGB")
    mode = draw.choice(modes)
    picture = Image.new("I;16", (24, 18), 999) if mode == "I;16" else picture.convert(mode)
    file = io.BytesIO()
    options = {"compression": draw.choice((None, "tiff_lzw", "tiff_adobe_deflate"))} if kind == "TIFF" else {}
    picture.save(file, kind, **options)
    return file.getvalue()


def idx(count: int, *, packed: bool, labels: bool) -> bytes:
    """A file of images or labels of MNIST's format."""
    begin = struct.pack(">2i", 0x801, count) if labels else struct.pack(">4i", 0x803, count, 28, 28)
    content = begin + bytes(n % 10 for n in range(count if labels else count * 784))
    return gzip.compress(content, mtime=0) if packed else content


def archive(names: list[str], record: int) -> bytes:
    """An archive with a record in each of the files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = record
            tar.addfile(info, io.BytesIO(bytes([3]) + bytes(record - 1)))
    return file.getvalue()
