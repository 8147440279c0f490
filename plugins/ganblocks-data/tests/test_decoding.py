from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from ganblocks_data.decoding import examine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFile

from ganblocks import DataError, Size
from ganblocks.testing import examples

RARELY = examples(25)


def decode(path: Path, size: Size, channels: int) -> np.ndarray:
    return examine(path, size, channels).pixels


def save(image: Image.Image, folder: Path, name: str = "a.png", **options: object) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@RARELY
@given(hnp.arrays(np.uint8, (6, 6, 3)))
def test_rgb_of_the_right_size_is_unchanged(folder: Path, pixels: np.ndarray) -> None:
    decoded = decode(save(Image.fromarray(pixels), folder), 6, 3)
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, pixels.transpose(2, 0, 1))


@RARELY
@given(hnp.arrays(np.uint8, (5, 5)))
def test_grey_of_the_right_size_is_unchanged(folder: Path, pixels: np.ndarray) -> None:
    path = save(Image.fromarray(pixels), folder)
    assert np.array_equal(decode(path, 5, 1), pixels[None])
    assert np.array_equal(decode(path, 5, 3), np.stack([pixels] * 3))


@RARELY
@given(hnp.arrays(np.uint16, (4, 4)))
def test_16_bit_is_scaled_not_clipped(folder: Path, deep: np.ndarray) -> None:
    wanted = np.floor(deep.astype(np.float64) * 255 / 65535 + 0.5)[None]
    decoded = decode(save(Image.fromarray(deep), folder), 4, 1)
    assert np.array_equal(decoded, wanted)
    assert np.abs(decoded - wanted).mean() == 0


@RARELY
@given(hnp.arrays(np.uint8, (4, 4, 4)))
def test_rgba_is_put_on_white(folder: Path, pixels: np.ndarray) -> None:
    decoded = decode(save(Image.fromarray(pixels, "RGBA"), folder), 4, 3)
    alpha = pixels[..., 3:] / 255
    wanted = pixels[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decoded - wanted.transpose(2, 0, 1)).max() <= 1


def test_la_is_put_on_white(folder: Path) -> None:
    pixels = np.array([[[0, 0], [0, 255]], [[100, 255], [0, 128]]], np.uint8)
    assert np.abs(decode(save(Image.fromarray(pixels, "LA"), folder), 2, 1) - [[[255, 0], [100, 127]]]).max() <= 1


def palette() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1], [2, 0]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    return image


def test_palette_gives_its_colours(folder: Path) -> None:
    wanted = np.array([[[255, 0], [0, 255]], [[0, 255], [0, 0]], [[0, 0], [255, 0]]])
    for name in ("a.png", "a.bmp"):
        assert np.array_equal(decode(save(palette(), folder, name), 2, 3), wanted)


def test_transparent_palette_entry_is_white(folder: Path) -> None:
    decoded = decode(save(palette(), folder, transparency=1), 2, 3)
    assert np.array_equal(decoded[:, 0, 1], [255, 255, 255])
    assert np.array_equal(decoded[:, 1, 0], [0, 0, 255])


def test_transparent_grey_level_is_white(folder: Path) -> None:
    image = Image.fromarray(np.array([[7, 8], [9, 10]], np.uint8))
    assert np.array_equal(decode(save(image, folder, transparency=7), 2, 1), [[[255, 8], [9, 10]]])


def test_one_bit_is_black_and_white(folder: Path) -> None:
    image = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert np.array_equal(decode(save(image, folder), 2, 1), [[[0, 255], [255, 0]]])


@pytest.mark.parametrize(
    ("ink", "wanted"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 0), (255,) * 3), ((0, 0, 0, 255), (0,) * 3)]
)
def test_cmyk_becomes_rgb(folder: Path, ink: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    decoded = decode(save(Image.new("CMYK", (8, 8), ink), folder, "a.jpg"), 8, 3)
    assert np.abs(decoded.astype(int) - np.array(wanted).reshape(3, 1, 1)).max() <= 3


def test_colour_becomes_grey_by_luma(folder: Path) -> None:
    assert decode(save(Image.new("RGB", (2, 2), (255, 0, 0)), folder), 2, 1).max() == 76  # 0.299 * 255, ITU-R 601


STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.T,
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].T,
    8: lambda upright: np.rot90(upright, -1),
}
"""EXIF orientation -> how a camera stores an upright picture."""


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_undone(folder: Path, orientation: int) -> None:
    upright = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))), folder, exif=exif)
    assert np.array_equal(decode(path, 4, 1)[0], upright)


def test_rotated_jpeg_with_a_long_side(folder: Path) -> None:
    stored = np.zeros((64, 192, 3), np.uint8)
    stored[:, :64, 0] = stored[:, 64:128, 1] = stored[:, 128:, 2] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    decoded = decode(save(Image.fromarray(stored), folder, "a.jpg", exif=exif, quality=95), 8, 3)
    assert decoded[1, 2:-2].min() > 200, "the middle third is green"
    assert decoded[[0, 2], 2:-2].max() < 60


@pytest.mark.parametrize("upright", [False, True])
def test_centre_is_cropped(folder: Path, upright: bool) -> None:
    wide = np.repeat(np.arange(24, dtype=np.uint8)[None] * 10, 8, 0)
    decoded = decode(save(Image.fromarray(wide.T if upright else wide), folder), 8, 1)[0]
    assert np.array_equal(decoded.T if upright else decoded, wide[:, 8:16])


def test_shrinking_is_antialiased(folder: Path) -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    decoded = decode(save(Image.fromarray(board), folder), 8, 1)
    assert np.abs(decoded - 127.5).max() < 2


@given(st.sampled_from([(1, 1), (1, 300), (300, 1), (7, 1000), (3, 5)]), st.integers(1, 40))
@RARELY
def test_any_shape_fills_the_square_evenly(folder: Path, shape: tuple[int, int], size: int) -> None:
    decoded = decode(save(Image.new("RGB", shape, (10, 200, 30)), folder), size, 3)
    assert np.array_equal(decoded, np.broadcast_to(np.array([10, 200, 30]).reshape(3, 1, 1), (3, size, size)))


@pytest.mark.parametrize("size", [16, 64, 96])
def test_large_jpeg_is_as_good_as_decoding_all_of_it(folder: Path, size: int) -> None:
    grain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8))
    jpeg = save(grain.resize((1200, 800), Image.Resampling.BICUBIC), folder, "a.jpg", quality=95)
    with Image.open(jpeg) as image:
        png = save(image, folder, "a.png")
    assert np.abs(decode(jpeg, size, 1).astype(int) - decode(png, size, 1)).max() <= 3  # 48 where it shrinks to just size


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5])
def test_truncated_files_are_named(folder: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = save(Image.fromarray(noise), folder, f"torn.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"torn\.{suffix} cannot be read as an image"):
        decode(path, 8, 3)


@RARELY
@given(st.sampled_from(["png", "jpg", "bmp", "webp"]), st.integers(0, 400), st.integers(0, 255))
def test_broken_bytes_never_raise_anything_else(folder: Path, suffix: str, index: int, byte: int) -> None:
    path = save(Image.effect_noise((16, 16), 50).convert("RGB"), folder, f"broken.{suffix}")
    content = bytearray(path.read_bytes())
    content[index % len(content)] = byte
    path.write_bytes(content)
    try:
        outcome = str(decode(path, 8, 3).shape)
    except DataError as error:
        outcome = str(error)
    assert outcome == "(3, 8, 8)" or f"broken.{suffix} cannot be read" in outcome


def test_what_is_no_image_is_refused(folder: Path) -> None:
    text = folder / "text.png"
    text.write_text("no image")
    with pytest.raises(DataError, match=r"text\.png cannot be read"):
        decode(text, 8, 3)


@pytest.mark.parametrize("name", ["a.gif", "a.tiff", "a.ppm", "a.ico", "a.dds", "a.avif"])
def test_other_formats_are_refused_by_name_whatever_their_suffix(folder: Path, name: str) -> None:
    image = save(Image.new("RGB", (16, 16), "red"), folder, name).rename(folder / "other.png")
    with pytest.raises(
        DataError, match=r"other\.png cannot be read as an image: it is .*only PNG, JPEG, WebP and BMP are read"
    ):
        decode(image, 8, 3)


def sixteen_bit_rgb(deep: np.ndarray) -> bytes:
    """A PNG with 16 bits in each of three colours, which Pillow cannot write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = deep.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_16_bit_colour_is_scaled_to_within_one_level(folder: Path) -> None:
    """Pillow keeps the upper byte: at most one level from v / 257, and on average none."""
    deep = np.arange(65536, dtype=np.uint32).reshape(256, 256)
    path = folder / "deep.png"
    path.write_bytes(sixteen_bit_rgb(np.stack([deep, deep[::-1], deep.T], axis=2)))
    decoded = examine(path, 256, 3)
    assert "16 bits to 8" in decoded.changes
    error = decoded.pixels[0] - deep / 257
    assert np.abs(error).max() < 1
    assert abs(error.mean()) < 1e-9


def marked(folder: Path, name: str, image: Image.Image, **options: object) -> tuple[str, ...]:
    return examine(save(image, folder, name, **options), 8, 3).changes


def test_every_change_is_said(folder: Path) -> None:
    plain = Image.new("RGB", (8, 8), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(np.full((8, 8), 60000, np.uint16))
    assert marked(folder, "a.png", plain) == marked(folder, "a.jpg", plain) == marked(folder, "a.bmp", plain) == ()
    assert marked(folder, "a.jpg", plain, exif=exif) == ("turned upright (EXIF)",)
    assert marked(folder, "a.png", plain.convert("RGBA")) == ("transparency put on white",)
    assert marked(folder, "a.png", plain.convert("P")) == ("palette replaced by its colours",)
    assert marked(folder, "a.png", plain.convert("L")) == ("grey to RGB",)
    assert marked(folder, "a.png", plain.convert("1")) == ("1 bit to 8", "grey to RGB")
    assert marked(folder, "a.png", deep) == ("16 bits to 8", "grey to RGB")
    assert marked(folder, "a.jpg", plain.convert("CMYK")) == ("CMYK to RGB",)
    assert marked(folder, "a.png", plain.resize((8, 7))) == ("enlarged",)
    assert marked(folder, "a.png", plain, format="JPEG") == ("JPEG whatever its suffix says",)
    assert examine(save(plain, folder), 8, 1).changes == ("colour to grey",)


def test_a_photo_with_a_second_picture_behind_it_is_its_first(folder: Path) -> None:
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    path = save(red, folder, "phone.jpg", format="MPO", save_all=True, append_images=[blue])
    decoded = examine(path, 8, 3)
    assert decoded.changes == ()
    assert decoded.pixels[0].min() > 200


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animations_are_refused(folder: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    path = save(frames[0], folder, f"moving.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=r"it is animated: 3 frames"):
        decode(path, 8, 3)


@pytest.mark.parametrize("side", [9_500, 20_000, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header_alone(folder: Path, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    content = bytearray(sixteen_bit_rgb(np.zeros((1, 1, 3), np.uint16)))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (folder / "bomb.png").write_bytes(content)
    with pytest.raises(DataError, match=r"bomb\.png cannot be read as an image: .*pixels"):
        decode(folder / "bomb.png", 8, 3)


def test_a_pipe_is_never_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png cannot be read as an image: it is no regular file"):
        decode(folder / "pipe.png", 8, 3)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("size", [(4, 6), (6, 4)])
def test_a_rectangle_of_the_right_size_is_unchanged_whichever_way_it_lies(
    folder: Path, size: tuple[int, int], orientation: int
) -> None:
    """[height, width] of the upright picture; it is neither enlarged nor cropped."""
    upright = np.arange(24, dtype=np.uint8).reshape(size) * 10
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = examine(save(Image.fromarray(np.ascontiguousarray(STORED[orientation](upright))), folder, exif=exif), size, 1)
    assert np.array_equal(decoded.pixels[0], upright)
    assert decoded.changes == (() if orientation == 1 else ("turned upright (EXIF)",))


@pytest.mark.parametrize(
    ("shape", "size", "seen"),
    [
        ((8, 24), (8, 16), (slice(None), slice(4, 20))),
        ((24, 8), (16, 8), (slice(4, 20), slice(None))),
        ((8, 24), (4, 4), None),
        ((20, 20), (20, 10), (slice(None), slice(5, 15))),
    ],
)
def test_a_rectangle_is_covered_and_its_centre_kept(
    folder: Path, shape: tuple[int, int], size: tuple[int, int], seen: tuple[slice, slice] | None
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    decoded = decode(save(Image.fromarray(picture), folder), size, 1)
    assert decoded.shape == (1, *size)
    if seen is not None:
        assert np.array_equal(decoded[0], picture[seen])


@given(st.sampled_from([(1, 1), (1, 90), (90, 1), (3, 5)]), st.integers(1, 20), st.integers(1, 20))
@RARELY
def test_any_shape_fills_the_rectangle_evenly(folder: Path, shape: tuple[int, int], height: int, width: int) -> None:
    decoded = examine(save(Image.new("RGB", shape, (10, 200, 30)), folder), (height, width), 3)
    assert np.array_equal(decoded.pixels, np.broadcast_to(np.array([10, 200, 30]).reshape(3, 1, 1), (3, height, width)))
    assert ("enlarged" in decoded.changes) == (shape[0] < width or shape[1] < height)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_a_rectangle_as_good_as_decoding_all_of_it(folder: Path, orientation: int) -> None:
    """Upright it is 800 high and 1200 wide, or the other way; decoding may not shrink it below three times what is needed."""
    grain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = save(grain.resize((1200, 800), Image.Resampling.BICUBIC), folder, "a.jpg", quality=95, exif=exif)
    with Image.open(jpeg) as image:
        png = save(image, folder, "a.png", exif=exif)
    size = (96, 144) if orientation == 1 else (144, 96)
    assert np.abs(decode(jpeg, size, 1).astype(int) - decode(png, size, 1)).max() <= 3
