"""What pictures show, to the pixel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo.kinds.pictures import BACKGROUND, MIN_GIF_WIDTH, gif, scatter, tile_pictures, to_uint8, write_png
from ganzoo.kinds.pictures import grid as picture


def ring(n: int = 200) -> torch.Tensor:
    angles = torch.arange(n) * (2 * torch.pi / n)
    return torch.stack((angles.cos(), angles.sin()), dim=1)


def count(image: Image.Image, colour: str) -> int:
    """Pixels of exactly this colour."""
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return int((np.asarray(image) == wanted).all(axis=-1).sum())


def test_every_byte_survives_the_way_to_samples_and_back() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    samples = pixels.float() / 127.5 - 1
    assert np.array_equal(to_uint8(samples), pixels.numpy())


def test_samples_beyond_the_range_are_clipped() -> None:
    assert to_uint8(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


def test_a_grid_shows_each_sample_in_its_place_row_by_row() -> None:
    levels = torch.linspace(-1, 1, 6)
    samples = levels.reshape(6, 1, 1, 1).expand(6, 1, 4, 5)
    grid = picture(samples, columns=3)
    assert (grid.mode, grid.size) == ("L", (3 * 7 + 2, 2 * 6 + 2))
    pixels = np.asarray(grid)
    for number in range(6):
        row, column = divmod(number, 3)
        cell = pixels[2 + 6 * row : 6 + 6 * row, 2 + 7 * column : 7 + 7 * column]
        assert (cell == round(number * 255 / 5)).all()
    assert (pixels[:2] == BACKGROUND).all()


def test_a_grid_is_square_where_nobody_says_otherwise() -> None:
    assert picture(torch.zeros(10, 1, 4, 4)).size == (4 * 6 + 2, 3 * 6 + 2)


def test_colours_keep_their_channels() -> None:
    red = torch.tensor([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1).expand(1, 3, 8, 8)
    assert picture(red).getpixel((4, 4)) == (255, 0, 0)


def test_points_lie_over_the_real_ones_on_axes_that_only_these_set() -> None:
    near, far = scatter(0.1 * ring(), real=ring()), scatter(100 * ring(), real=ring())
    assert count(near, "#d7263d") > 50
    assert count(near, "#b0b0b0") > 500
    assert np.array_equal(np.asarray(near)[:, :35], np.asarray(far)[:, :35])  # the left axis and its numbers


def test_points_outside_the_axes_are_counted_in_the_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    labels = []
    draw = Axes.scatter
    monkeypatch.setattr(Axes, "scatter", lambda *a, **k: labels.append(k["label"]) or draw(*a, **k))
    some = torch.cat((0.1 * ring(7), 100 * ring(3)))
    scatter(some, real=ring())
    assert labels == ["real", "generated (3 of 10 outside)"]


def test_points_of_one_walk_are_joined() -> None:
    apart = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    alone, joined = scatter(apart, real=ring()), scatter(apart, real=ring(), columns=2)
    middle = (slice(240, 260), slice(240, 260))
    assert (np.asarray(alone)[middle] == 255).all()
    assert not (np.asarray(joined)[middle] == 255).all()


def test_an_animation_shows_every_frame_for_ever_and_enlarges_tiny_ones() -> None:
    frames = [picture(torch.full((1, 1, 28, 28), level)) for level in (-1.0, 0.0, 1.0)]
    with Image.open(io.BytesIO(gif(frames, milliseconds=50))) as shown:
        assert shown.n_frames == 3  # type: ignore[attr-defined]
        assert shown.info["loop"] == 0
        assert shown.width % 28 == 0
        assert MIN_GIF_WIDTH - 28 < shown.width <= MIN_GIF_WIDTH
        levels = []
        for number in range(3):
            shown.seek(number)
            assert shown.info["duration"] == 50
            levels.append(shown.convert("L").getpixel((5, 5)))
    assert levels[0] == 0
    assert levels[2] == 255
    assert abs(levels[1] - 128) <= 5  # one of 32 greys


def test_a_picture_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "samples" / "grid.png"
    write_png(Image.new("L", (4, 4)), path)
    before = path.read_bytes()

    def half(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="full"):
        write_png(Image.new("L", (9, 9)), path)
    assert path.read_bytes() == before


def test_pictures_that_belong_together_stay_side_by_side() -> None:
    row = [picture(torch.full((1, 1, 2, 2), value)) for value in (-1.0, 0.0, 1.0)]
    pixels = np.asarray(tile_pictures([row] * 12))
    # Twelve threes are a square of two threes across and six down; each picture has 2 pixels, and 2 of grey between.
    assert pixels.shape == (6 * 4 + 2, 6 * 4 + 2)
    assert pixels[2, 2::4].tolist()[:6] == [0, 128, 255, 0, 128, 255]


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (5, 1, 6, 4), (7, 3, 5, 5), (16, 3, 2, 3)])
@pytest.mark.parametrize("columns", [1, 3, 4, 20])
def test_a_grid_is_the_one_that_torchvision_would_draw(shape: tuple[int, ...], columns: int) -> None:
    from torchvision.utils import make_grid

    samples = torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pixels = torch.from_numpy(to_uint8(samples))
    expected = make_grid(pixels, nrow=columns, padding=2, pad_value=64)[: shape[1]]
    drawn = np.asarray(picture(samples, columns=columns))
    drawn = drawn[None] if drawn.ndim == 2 else drawn.transpose(2, 0, 1)
    assert np.array_equal(drawn, expected.numpy())
