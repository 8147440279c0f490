from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
import torch
from ganblocks_data import emoji, sheet
from ganblocks_data.emoji import Emoji
from PIL import Image, UnidentifiedImageError

from ganblocks import DataError, Images

COUNTS = [169, 386, 159, 131, 218, 85, 264, 224, 270]


@pytest.fixture(scope="module")
def images() -> Images:
    return Emoji(size=64).open()


@pytest.fixture(scope="module")
def pixels(images: Images) -> np.ndarray:
    return images.read(torch.arange(1906)).numpy()


def test_describe_agrees_with_what_is_read(images: Images) -> None:
    for size in (16, 32, 64):
        data = Emoji(size=size)
        spec = data.describe()
        batch = (images if size == 64 else data.open()).read(torch.tensor([5, 0, 5]))
        assert batch.dtype == torch.uint8
        assert batch.shape == (3, spec.channels, spec.size, spec.size) == (3, 3, size, size)
        assert torch.equal(batch[0], batch[2])
        assert not torch.equal(batch[0], batch[1])
    assert spec.classes == len(spec.class_names) == 9
    assert Emoji() == Emoji(size=32)


def test_classes_have_the_counts_of_the_source(images: Images) -> None:
    assert images.labels.dtype == torch.int64
    assert torch.bincount(images.labels).tolist() == COUNTS


@pytest.mark.parametrize("size", [16, 32])
def test_smaller_sizes_are_exact_means_halves_up(pixels: np.ndarray, size: int) -> None:
    factor = 64 // size
    means = pixels.astype(np.float64).reshape(1906, 3, size, factor, size, factor).mean((3, 5))
    smaller = Emoji(size=size).open().read(torch.arange(1906)).numpy()
    assert np.array_equal(smaller, np.floor(means + 0.5))


def test_split_is_disjoint_complete_stratified_and_pinned(images: Images) -> None:
    train, held_out = images.split["train"], images.split["held_out"]
    assert torch.equal(torch.cat([train, held_out]).sort().values, torch.arange(1906))
    held = torch.bincount(images.labels[held_out]).tolist()
    assert all(abs(count - total / 10) <= 1 for count, total in zip(held, COUNTS, strict=True))
    assert len(held_out) == 190
    pinned = "946bd9cc"
    assert hashlib.sha256(held_out.numpy().tobytes()).hexdigest().startswith(pinned), "the held-out images moved"
    assert torch.equal(Emoji(size=16).open().split["held_out"], held_out)


def test_no_drawing_stands_on_both_sides_even_mirrored(images: Images) -> None:
    small = Emoji(size=16).open().read(torch.arange(1906)).flatten(2).float().reshape(1906, 3, 16, 16)
    train = small[images.split["train"]].flatten(1)
    for side in (small, small.flip(3)):
        held_out = side[images.split["held_out"]].flatten(1)
        assert torch.cdist(held_out, train, p=1).min() / 768 > 0.1


def test_background_is_white(pixels: np.ndarray) -> None:
    corners = pixels[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).all(1).mean() > 0.99
    assert (pixels == 255).all(1).mean() > 0.3


def test_first_tile_is_the_grinning_face(pixels: np.ndarray) -> None:
    red, green, blue = pixels[0, :, 20, 10]  # its yellow cheek
    assert red > 230
    assert green > 180
    assert blue < 120


def test_opening_is_quick() -> None:
    start = time.perf_counter()
    Emoji().open()
    assert time.perf_counter() - start < 5  # measured: 0.25 s


def test_fingerprint_tells_sizes_apart_and_repeats(images: Images) -> None:
    assert Emoji(size=64).open().fingerprint == images.fingerprint
    assert Emoji(size=32).open().fingerprint != images.fingerprint


@pytest.mark.parametrize("name", ["SHEET_SHA256", "INDEX_SHA256"])
def test_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(emoji, name, "0" * 64)
    with pytest.raises(DataError, match="damaged emoji"):
        Emoji().open()


def test_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emoji, "SHEET", "absent.webp")
    with pytest.raises(DataError, match=r"lacks its file absent\.webp"):
        Emoji().open()


def test_pillow_without_webp_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Image.Image:
        raise UnidentifiedImageError("cannot identify image file")

    monkeypatch.setattr(sheet.Image, "open", refuse)
    with pytest.raises(DataError, match="without WebP"):
        Emoji().open()


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        Emoji(size=48)
