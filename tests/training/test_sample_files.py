"""Samples as files: of their own size, never outside of their folder, never over another picture, in flat memory."""

from __future__ import annotations

import os
import tracemalloc
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from ganblocks.errors import UsageError
from ganblocks.testing import examples
from ganblocks.training.sample_files import folders_of, write_npz, write_pngs

HOSTILE = ["..", ".", "/etc", "../../x", "a/b", "a\\b", "C:", "con", "NUL.txt", "", " ", "a.", "a "]
HOSTILE += ["\x00", "\n", "\x1b[31m", "\udcff"]
NAMES = st.lists(st.text(max_size=300) | st.sampled_from([*HOSTILE, "A", "a", "é", "e\u0301", "a-1"]), min_size=1, max_size=12)


@examples(200)
@given(NAMES)
def test_folders_of_classes_stay_within_and_apart(names: list[str]) -> None:
    folders = folders_of(names, len(names))
    assert len({unicodedata.normalize("NFC", folder).casefold() for folder in folders}) == len(names)
    for folder in folders:
        assert os.path.normpath(os.path.join("/samples", folder)) == f"/samples/{folder}"
        assert folder.isprintable()
        assert not set('/\\:*?"<>|') & set(folder)
        assert folder not in ("", ".", "..")
        assert not folder.startswith(".")
        assert len(os.fsencode(folder)) <= 255


def test_ordinary_names_are_folders_as_they_are() -> None:
    names = ["cats", "dogs", "Großer Hund", "犬", "10", "n01440764", "a-b_c.d"]
    assert folders_of(names, 7) == names
    assert folders_of((), 3) == ["0", "1", "2"]
    assert folders_of(["a/b", "a_b"], 2) == ["a_b", "a_b-1"]


def drawn(n: int, channels: int = 3, classes: int = 2, batch: int = 16) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Image k is k in every pixel; its class is k modulo ``classes``."""
    for begin in range(0, n, batch):
        numbers = torch.arange(begin, min(begin + batch, n))
        image = ((numbers % 256).float() / 127.5 - 1).view(-1, 1, 1, 1).expand(-1, channels, 4, 6)
        yield image, numbers % classes if classes else None


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_sample_is_a_png_of_its_own_size_in_the_folder_of_its_class(tmp_path: Path, channels: int) -> None:
    write_pngs(tmp_path / "new" / "out", drawn(20, channels), 7, ["cats", "dogs"])
    found = sorted(path.relative_to(tmp_path / "new" / "out").as_posix() for path in tmp_path.rglob("*.png"))
    assert found == sorted(f"{('cats', 'dogs')[k % 2]}/{k + 7:06}.png" for k in range(20))
    for k in range(20):
        made = pixels(tmp_path / "new" / "out" / ("cats", "dogs")[k % 2] / f"{k + 7:06}.png")
        assert made.shape == ((4, 6) if channels == 1 else (4, 6, 3))
        assert (made == k).all()
    assert not list(tmp_path.rglob(".tmp-*"))


def test_without_classes_they_stand_in_the_folder_itself(tmp_path: Path) -> None:
    write_pngs(tmp_path, drawn(3, classes=0), 0, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.png", "000001.png", "000002.png"]


def test_what_is_there_stays_if_it_is_the_same_and_is_refused_if_not(tmp_path: Path) -> None:
    write_pngs(tmp_path, drawn(4), 0, ["a", "b"])
    before = (tmp_path / "a" / "000000.png").stat().st_mtime_ns
    write_pngs(tmp_path, drawn(20), 0, ["a", "b"])
    assert (tmp_path / "a" / "000000.png").stat().st_mtime_ns == before
    other = (tmp_path / "b" / "000003.png").read_bytes()
    with pytest.raises(UsageError, match=r"b/000003\.png: exists and is not this sample .*--to"):
        write_pngs(tmp_path, drawn(2), 2, ["b", "b"])
    assert (tmp_path / "b" / "000003.png").read_bytes() == other


def test_a_link_in_place_of_a_class_s_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a link"):
        write_pngs(tmp_path / "out", drawn(1), 0, ["a", "b"])
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(("channels", "classes"), [(1, 0), (3, 2)])
def test_an_npz_holds_all_and_says_what_they_follow_from(tmp_path: Path, channels: int, classes: int) -> None:
    names = ("cats", "犬")[:classes]
    write_npz(tmp_path / "s.npz", drawn(20, channels, classes), 20, 9, 5, names)
    with np.load(tmp_path / "s.npz") as kept:
        found = dict(kept)
    assert found["images"].shape == (20, 4, 6, channels)
    assert found["images"].dtype == np.uint8
    assert (found["images"] == np.arange(20)[:, None, None, None]).all()
    assert found["labels"].tolist() == ([k % 2 for k in range(20)] if classes else [])
    assert tuple(found["class_names"]) == names
    assert found["index"].tolist() == list(range(5, 25))
    assert int(found["seed"]) == 9
    first = (tmp_path / "s.npz").read_bytes()
    write_npz(tmp_path / "s.npz", drawn(20, channels, classes), 20, 9, 5, names)
    assert (tmp_path / "s.npz").read_bytes() == first, "no date in it"


def test_a_generator_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[tuple[Tensor, Tensor | None]]:
        yield from drawn(16)
        raise UsageError("no more")

    with pytest.raises(UsageError, match="no more"):
        write_npz(tmp_path / "s.npz", failing(), 32, 0, 0, ())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["png", "npz"])
def test_memory_does_not_grow_with_the_samples(tmp_path: Path, kind: str) -> None:
    """Each is 48 KiB as bytes: 1,500 more of them would be 72 MiB."""

    def large(n: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        for _ in range(n // 4):
            yield torch.zeros(4, 3, 128, 128), torch.zeros(4, dtype=torch.int64)

    def peak(n: int) -> int:
        tracemalloc.start()
        if kind == "npz":
            write_npz(tmp_path / f"{n}.npz", large(n), n, 0, 0, ("a",))
        else:
            write_pngs(tmp_path / str(n), large(n), 0, ["a"])
        peaked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peaked

    peak(4)
    few, more = (40, 400) if kind == "png" else (100, 1600)
    assert peak(more) < peak(few) + (more - few) * 2_000
