from __future__ import annotations

import hashlib

import pytest
import torch
from ganblocks_data import digits
from ganblocks_data.digits import Digits

from ganblocks import DataError

FIRST = """
 0  0  5 13  9  1  0  0
 0  0 13 15 10 15  5  0
 0  3 15  2  0 11  8  0
 0  4 12  0  0  8  8  0
 0  5  8  0  0  9  8  0
 0  4 11  0  1 12  7  0
 0  2 14  5 10 12  0  0
 0  0  6 13 10  0  0  0
"""
"""The first image as UCI lists it."""


@pytest.mark.parametrize("size", [8, 16, 32])
def test_describe_agrees_with_what_is_read(size: int) -> None:
    spec, images = Digits(size=size).describe(), Digits(size=size).open()
    batch = images.read(torch.tensor([1796, 0]))
    assert batch.dtype == torch.uint8
    assert batch.shape == (2, spec.channels, spec.size, spec.size) == (2, 1, size, size)
    assert spec.class_names == tuple("0123456789")
    assert spec.classes == 10


def test_levels_and_order_are_those_of_the_source() -> None:
    images = Digits().open()
    wanted = torch.tensor([int(level) * 255 // 16 for level in FIRST.split()], dtype=torch.uint8)
    assert torch.equal(images.read(torch.tensor([0])).flatten(), wanted)
    assert images.labels[:10].tolist() == list(range(10))
    assert torch.bincount(images.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert len(torch.unique(images.read(torch.arange(1797)))) == 17


def test_larger_sizes_repeat_pixels() -> None:
    small, large = (Digits(size=size).open().read(torch.arange(1797)) for size in (8, 32))
    assert torch.equal(torch.nn.functional.interpolate(small.float(), scale_factor=4, mode="nearest").byte(), large)


def test_split_is_disjoint_complete_stratified_and_pinned() -> None:
    images = Digits().open()
    train, held_out = images.split["train"], images.split["held_out"]
    assert torch.equal(torch.cat([train, held_out]).sort().values, torch.arange(1797))
    share = torch.bincount(images.labels[held_out]) / torch.bincount(images.labels)
    assert (share - 0.1).abs().max() < 0.005
    pinned = "1dc5a421"
    assert hashlib.sha256(held_out.numpy().tobytes()).hexdigest().startswith(pinned), "the held-out images moved"
    assert torch.equal(Digits(size=32).open().split["held_out"], held_out)


@pytest.mark.parametrize("name", ["SHEET_SHA256", "INDEX_SHA256"])
def test_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(digits, name, "0" * 64)
    with pytest.raises(DataError, match="damaged digits"):
        Digits().open()
