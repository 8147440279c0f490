"""A folder with every kind of bad file: each is named, all at once, and changes are counted."""

from __future__ import annotations

import io
import os
import shutil
import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from ganblocks_data import image_folder, inspecting
from ganblocks_data.image_folder import ImageFolder
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganblocks import DataError, Finding
from ganblocks.testing import examples

BAD = {
    **{f"empty.{suffix}": lambda path: path.write_bytes(b"") for suffix in ("png", "jpg", "webp", "bmp")},
    **{f"text.{suffix}": lambda path: path.write_text("no image") for suffix in ("png", "jpg", "webp", "bmp")},
    "note.txt": lambda path: path.write_text("woof"),
    "data.csv": lambda path: path.write_text("1,2"),
    "no_suffix": lambda path: path.write_bytes(b"\x89PNG"),
    "archive.zip": lambda path: path.write_bytes(b"PK\3\4"),
    "drawing.svg": lambda path: path.write_text("<svg/>"),
    "page.png": lambda path: path.write_text("<?xml version='1.0'?><html/>"),
    "paper.png": lambda path: path.write_bytes(b"%PDF-1.7\n"),
    "pipe.png": os.mkfifo,
    "nowhere.png": lambda path: path.symlink_to("nowhere"),
    "itself.png": lambda path: path.symlink_to("itself.png"),
    "device.png": lambda path: path.symlink_to("/dev/zero"),
}
"""Name -> how to make it."""


def noise(size: int = 24, seed: int = 0, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)).convert(mode)


def truncated(path: Path, share: float) -> None:
    noise().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def in_disguise(path: Path, form: str) -> None:
    noise().save(path, format=form)


def moving(path: Path) -> None:
    noise().save(path, save_all=True, append_images=[noise(seed=1), noise(seed=2)])


def huge(path: Path, side: int) -> None:
    """A header of side x side pixels, and no pixels after it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))


def flipped(path: Path) -> None:
    """A byte of the pixels' own checksum."""
    noise().save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


for _suffix in ("png", "jpg", "webp", "bmp"):
    BAD[f"half.{_suffix}"] = lambda path: truncated(path, 0.5)
    BAD[f"head.{_suffix}"] = lambda path: truncated(path, 0.05)
for _form in ("GIF", "TIFF", "PPM", "ICO", "AVIF", "DDS"):
    BAD[f"{_form.lower()}.png"] = lambda path, form=_form: in_disguise(path, form)
BAD |= {"moving.png": moving, "moving.webp": moving, "flipped.png": flipped}
BAD |= {f"bomb{side}.png": lambda path, side=side: huge(path, side) for side in (9_500, 100_000, 2**31 - 1)}
BAD["real.gif"] = lambda path: noise().save(path)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of sound images, with all of BAD among the dogs."""
    root = tmp_path_factory.mktemp("corpus")
    for seed in range(24):
        path = root / ("cats" if seed % 2 else "dogs") / f"sound{seed:02}.png"
        path.parent.mkdir(exist_ok=True)
        noise(seed=100 + seed).save(path)
    for name, make in BAD.items():
        make(root / "dogs" / name)
    return root


def folder(path: Path, **options: object) -> ImageFolder:
    return ImageFolder(**{"path": str(path), "size": 16, "classes": 2, "held_out": 0.0} | options)


def fatal(findings: list[Finding]) -> set[str]:
    return {Path(finding.path).name for finding in findings if finding.fatal}


def test_every_bad_file_is_named_and_no_sound_one(corpus: Path) -> None:
    assert len(BAD) >= 40
    findings = list(folder(corpus).inspect())
    assert fatal(findings) == set(BAD)
    assert all(finding.words for finding in findings if finding.fatal)


def test_opening_names_them_too(corpus: Path, tmp_path: Path) -> None:
    """First what stands where it should not; once that is gone, every file that cannot be read."""
    with pytest.raises(DataError) as caught:
        folder(corpus).open()
    misplaced = {line.split()[0].rpartition("/")[2] for line in str(caught.value).splitlines()}
    kept = tmp_path / "kept"
    shutil.copytree(corpus, kept, symlinks=True, ignore=lambda _, names: [name for name in names if name in misplaced])
    with pytest.raises(DataError) as caught:
        folder(kept).open()
    unreadable = {line.split()[0].rpartition("/")[2] for line in str(caught.value).splitlines()}
    assert misplaced | unreadable == set(BAD)
    assert not misplaced & unreadable


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        for number in range(inspecting.FEW):
            noise(seed=1000 + ord(name[0]) * 100 + number).save(tmp_path / name / f"{number}.png")
    return tmp_path


def texts_by_kind(path: Path, **options: object) -> dict[str, set[str]]:
    texts: dict[str, set[str]] = {}
    for finding in folder(path, **options).inspect():
        texts.setdefault(finding.sort, set()).add(f"{Path(finding.path).name} {finding.words}".strip())
    return texts


def test_sound_folders_have_nothing_to_say(pets: Path) -> None:
    assert texts_by_kind(pets) == {}


def test_copies_are_found_within_and_across_classes(pets: Path) -> None:
    shutil.copy(pets / "cats" / "3.png", pets / "cats" / "copy.png")
    shutil.copy(pets / "cats" / "3.png", pets / "dogs" / "traitor.png")
    assert texts_by_kind(pets) == {
        "same bytes twice": {"copy.png as cats/3.png"},
        "same bytes as in another class": {"traitor.png as cats/3.png"},
    }


def test_files_of_equal_size_are_no_copies(tmp_path: Path) -> None:
    for number in range(20):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / f"{number}.bmp")
    assert texts_by_kind(tmp_path, classes=0) == {}


def test_changes_are_listed_file_by_file(pets: Path) -> None:
    noise(mode="L").save(pets / "cats" / "grey.png")
    noise(seed=1, mode="L").save(pets / "cats" / "grey2.png")
    noise(seed=2, mode="RGBA").save(pets / "dogs" / "cut.png")
    assert texts_by_kind(pets) == {"grey to RGB": {"grey.png", "grey2.png"}, "transparency put on white": {"cut.png"}}


def test_small_and_empty_classes(pets: Path) -> None:
    (pets / "newts").mkdir()
    noise(seed=5).save(pets / "newts" / "only.png")
    (pets / "owls").mkdir()
    texts = texts_by_kind(pets, classes=4)
    assert texts["a class of fewer than 10 images"] == {"newts 1 images"}
    assert texts["layout"] == {"owls holds no images"}


@pytest.mark.parametrize("name", ["Cats", "CATS"])
def test_classes_that_differ_by_case_only(pets: Path, name: str) -> None:
    (pets / "cats").rename(pets / "cats2")
    (pets / "cats2").rename(pets / "cats")
    (pets / name).mkdir()
    shutil.copytree(pets / "dogs", pets / name, dirs_exist_ok=True)
    with pytest.raises(DataError, match="by upper and lower case only"):
        folder(pets, classes=3).open()


def test_layouts_are_reported_together(pets: Path) -> None:
    noise().save(pets / "stray.png")
    (pets / "cats" / "deep").mkdir()
    (pets / "owls").mkdir()
    with pytest.raises(DataError) as caught:
        folder(pets, classes=5).open()
    text = str(caught.value)
    assert all(word in text for word in ("stray.png", "deep", "owls holds no images", "3 class folders"))


def test_a_missing_folder_is_a_finding(tmp_path: Path) -> None:
    assert [finding.words for finding in folder(tmp_path / "absent").inspect()] == ["does not exist"]


def many(root: Path, count: int, bad: int) -> Path:
    for number in range(count):
        path = root / f"{number:03}.png"
        path.write_text("bad") if number < bad else Image.new("RGB", (16, 16), (number % 256, number // 256, 0)).save(path)
    return root


@pytest.mark.parametrize("memory", [True, False])
def test_skipping_leaves_out_a_hundredth_and_lists_it(tmp_path: Path, memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not memory:
        monkeypatch.setattr(image_folder, "MEMORY", 0)
    many(tmp_path, 200, 2)
    with pytest.warns(UserWarning, match=r"(?s)2 of 200 files are skipped:.*000\.png.*001\.png"):
        images = folder(tmp_path, classes=0, on_bad="skip").open()
    assert len(images.labels) == 198
    assert images.read(torch.arange(198)).shape == (198, 3, 16, 16)
    assert images.read(torch.tensor([0]))[0, 0, 0, 0] == 2


def test_skipping_more_than_a_hundredth_is_refused(tmp_path: Path) -> None:
    many(tmp_path, 199, 2)
    with pytest.raises(DataError, match=r"(?s)000\.png.*001\.png.*2 of 199 files are bad, and at most 1 %"):
        folder(tmp_path, classes=0, on_bad="skip").open()


def test_an_inspection_says_what_is_going_to_be_skipped(tmp_path: Path) -> None:
    findings = list(folder(many(tmp_path, 200, 2), classes=0, on_bad="skip").inspect())
    skipped = [finding for finding in findings if finding.sort == "skipped"]
    assert [Path(finding.path).name for finding in skipped] == ["000.png", "001.png"]
    assert "no PNG" in skipped[0].words
    assert fatal(findings) == set()


def test_an_inspection_refuses_what_is_too_much_to_skip(tmp_path: Path) -> None:
    findings = list(folder(many(tmp_path, 199, 2), classes=0, on_bad="skip").inspect())
    assert fatal(findings) == {"000.png", "001.png", tmp_path.name}
    assert findings[-1].words == "2 of 199 files are bad, and at most 1 % may be skipped"


TINY = io.BytesIO()
Image.new("RGB", (16, 16)).save(TINY, "PNG")
STRAYS = {"note.txt": b"", "cats/note.txt": b"", "cats/deep/a.png": b"", "empty/.hidden": b"", "stray.png": TINY.getvalue()}


@examples(60)
@given(
    sound=st.lists(st.sampled_from([0, 1, 2, 99, 100, 101]), min_size=1, max_size=2),
    bad=st.integers(0, 3),
    classes=st.integers(0, 2),
    options=st.fixed_dictionaries({"on_bad": st.sampled_from(["error", "skip"]), "held_out": st.sampled_from([0.0, 0.1, 0.5])}),
    stray=st.sampled_from(["", "", *STRAYS]),
)
@pytest.mark.filterwarnings("ignore")
def test_an_inspection_finds_something_fatal_exactly_where_opening_refuses(
    sound: list[int], bad: int, classes: int, options: dict[str, object], stray: str
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        contents = [b"damaged"] * bad + [TINY.getvalue()] * sum(sound)
        for number, content in enumerate(contents):
            path = root / (("dogs" if number >= bad + sound[0] else "cats") if classes else "") / f"{number:03}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        if stray:
            (root / stray).parent.mkdir(parents=True, exist_ok=True)
            (root / stray).write_bytes(STRAYS[stray])
        dataset = folder(root, classes=classes, **options)
        fatal_findings = [finding for finding in dataset.inspect() if finding.fatal]
        refused = ""
        try:
            dataset.open()
        except DataError as error:
            refused = str(error)
        assert bool(fatal_findings) == bool(refused), refused


def test_what_is_not_skipped_is_the_same_data(tmp_path: Path) -> None:
    many(tmp_path, 20, 0)
    prints = [folder(tmp_path, classes=0, on_bad=policy).open().fingerprint for policy in ("error", "skip")]
    assert prints[0] == prints[1]


def test_opening_counts_what_it_changes(pets: Path) -> None:
    noise(mode="L").save(pets / "cats" / "grey.png")
    noise(mode="L", seed=3).save(pets / "dogs" / "grey.png")
    with pytest.warns(UserWarning, match=r"images were changed as they were read \(grey to RGB: 2\)"):
        folder(pets).open()


def test_reading_on_demand_says_each_change_once(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    noise(mode="L").save(pets / "cats" / "grey.png")
    images = folder(pets).open()
    number = sorted([f"{number}.png" for number in range(10)] + ["grey.png"]).index("grey.png")
    with pytest.warns(UserWarning, match="as they are read: grey to RGB") as caught:
        _ = [images.read(torch.tensor([number])) for _ in range(3)]
    assert len(caught) == 1


def test_a_folder_suggests_its_data_set(pets: Path) -> None:
    suggested = ImageFolder.at(pets)
    assert suggested is not None
    assert (suggested.classes, suggested.path) == (2, pets)
    assert ImageFolder.at(pets / "cats" / "0.png") is None


def test_memory_does_not_grow_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """150 files more cost their names and findings, and no pixels (48 KiB each)."""

    def peak(count: int) -> int:
        root = tmp_path / str(count)
        root.mkdir()
        many(root, count, 0)
        tracemalloc.start()
        kinds = {finding.sort for finding in folder(root, classes=0, size=128).inspect()}
        peaked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert kinds == {"enlarged"}
        return peaked

    monkeypatch.setattr(inspecting, "AT_ONCE", 8)
    peak(20)  # what is allocated once
    assert peak(200) < peak(50) + 150 * 6_000
