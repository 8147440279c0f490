from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ganblocks_data import image_folder
from ganblocks_data.image_folder import ImageFolder
from ganblocks_data.listing import SUFFIXES
from PIL import Image

from ganblocks import DataError


def paint(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    names = ["cats/b.png", "cats/a.png", "dogs/c.bmp", "dogs/d.PNG", "owls/e.png", "owls/f.webp", "owls/10.png", "owls/9.png"]
    for seed, name in enumerate(names):
        paint(tmp_path / name, seed)
    (tmp_path / "labels.csv").write_text("beside the classes, and no image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "cats" / ".DS_Store").write_text("litter")
    (tmp_path / "cats" / "Thumbs.db").write_text("litter")
    return tmp_path


def folder(path: Path, **options: object) -> ImageFolder:
    return ImageFolder(**{"path": str(path), "size": 8, "classes": 3, "held_out": 0.0} | options)


def test_describe_needs_no_disk(tmp_path: Path) -> None:
    spec = folder(tmp_path / "absent", channels=1).describe()
    assert (spec.channels, spec.size, spec.classes) == (1, 8, 3)
    assert ImageFolder(path="absent", size=8).describe().classes == 0


def test_classes_and_order_are_those_of_torchvision(pets: Path) -> None:
    from torchvision.datasets import ImageFolder as Reference

    (pets / ".cache").rmdir()  # torchvision takes hidden folders for classes
    reference = Reference(str(pets), is_valid_file=lambda path: Path(path).suffix.lower() in SUFFIXES)
    images = folder(pets).open()
    assert images.labels.tolist() == reference.targets
    for index, (path, _) in enumerate(reference.samples):
        with Image.open(path) as image:
            square = image.convert("RGB").resize((8, 8), Image.Resampling.BICUBIC, box=(0, 1, 10, 11))
        assert np.array_equal(images.read(torch.tensor([index]))[0].permute(1, 2, 0), square)


@pytest.mark.parametrize("channels", [1, 3])
def test_on_demand_reads_what_memory_holds(pets: Path, monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    indices = torch.tensor([7, 0, 3, 3])
    held = folder(pets, channels=channels, held_out=0.5).open()
    monkeypatch.setattr(image_folder, "MEMORY", 8 * channels * 64 - 1)
    read = folder(pets, channels=channels, held_out=0.5).open()
    paint(pets / "cats" / "a.png", seed=99)  # seen by whoever reads only now
    batch = read.read(indices)
    assert batch.dtype == torch.uint8
    assert batch.shape == (4, channels, 8, 8)
    assert torch.equal(batch[[0, 2, 3]], held.read(indices)[[0, 2, 3]])
    assert not torch.equal(batch[1], held.read(indices)[1])
    assert torch.equal(read.labels, held.labels)
    assert all(torch.equal(read.split[side], held.split[side]) for side in ("train", "held_out"))


def test_in_memory_up_to_the_limit(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "MEMORY", 8 * 3 * 64)
    images = folder(pets).open()
    (pets / "cats" / "a.png").unlink()
    assert images.read(torch.tensor([0])).shape == (1, 3, 8, 8)


def test_fingerprint_on_demand_sees_names_sizes_and_options(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    prints = [
        folder(pets).open().fingerprint,
        folder(pets, size=9).open().fingerprint,
        folder(pets, held_out=0.4).open().fingerprint,
    ]
    (pets / "cats" / "a.png").rename(pets / "cats" / "aa.png")
    prints.append(folder(pets).open().fingerprint)
    with (pets / "cats" / "aa.png").open("ab") as file:
        file.write(b"more")
    prints.append(folder(pets).open().fingerprint)
    assert len(set(prints)) == 5
    elsewhere = pets.rename(pets.with_name("elsewhere"))
    assert folder(elsewhere).open().fingerprint == prints[-1], "where the folder lies does not matter"


def test_fingerprint_in_memory_sees_contents(pets: Path) -> None:
    before = folder(pets).open().fingerprint
    assert folder(pets).open().fingerprint == before
    paint(pets / "cats" / "a.png", seed=99)
    assert folder(pets).open().fingerprint != before


def test_images_without_labels(tmp_path: Path) -> None:
    for number in range(60):
        paint(tmp_path / f"{number}.png", number)
    images = folder(tmp_path, classes=0, held_out=0.1).open()
    assert images.labels.tolist() == [0] * 60
    train, held_out = images.split["train"], images.split["held_out"]
    assert 1 <= len(held_out) <= 15
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(60))


def test_home_is_understood(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(pets.parent))
    assert len(folder(Path("~") / pets.name).open().labels) == 8


def test_missing_and_misplaced_folders(pets: Path) -> None:
    with pytest.raises(DataError, match=r"absent does not exist"):
        folder(pets / "absent").open()
    with pytest.raises(DataError, match=r"labels\.csv is not a folder"):
        folder(pets / "labels.csv").open()
    with pytest.raises(DataError, match=r"holds no class folders; set classes = 0"):
        folder(pets / "cats").open()
    with pytest.raises(DataError, match=r"holds folders \(cats, dogs, owls\)"):
        folder(pets, classes=0).open()


def test_other_number_of_classes_names_them(pets: Path) -> None:
    with pytest.raises(DataError, match=r"3 class folders \(cats, dogs, owls\); the recipe says classes = 5"):
        folder(pets, classes=5).open()


def test_empty_class_is_named(pets: Path) -> None:
    (pets / "newts").mkdir()
    (pets / "newts" / ".hidden.png").write_text("does not count")
    with pytest.raises(DataError, match=r"newts holds no images"):
        folder(pets, classes=4).open()


def test_images_in_deeper_folders_are_refused(pets: Path) -> None:
    paint(pets / "dogs" / "puppies" / "g.png")
    with pytest.raises(DataError, match=r"dogs holds folders \(puppies\)"):
        folder(pets).open()


def test_images_beside_the_classes_are_refused(pets: Path) -> None:
    paint(pets / "stray.png")
    with pytest.raises(DataError, match=r"beside its class folders \(stray\.png\)"):
        folder(pets).open()


def test_files_that_are_no_images_are_named(pets: Path) -> None:
    for number in range(7):
        (pets / "dogs" / f"note{number}.txt").write_text("woof")
    with pytest.raises(DataError) as caught:
        folder(pets).open()
    lines = str(caught.value).splitlines()
    assert len(lines) == 7
    assert all(f"note{number}.txt is no PNG, JPEG, WebP or BMP" in line for number, line in enumerate(lines))


def test_all_broken_images_are_named_at_once(pets: Path) -> None:
    for name in ("cats/a.png", "owls/9.png"):
        (pets / name).write_bytes((pets / name).read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        folder(pets).open()
    assert len(str(caught.value).splitlines()) == 2
    assert "a.png cannot be read" in str(caught.value)
    assert "9.png cannot be read" in str(caught.value)


def test_many_broken_images_are_counted(tmp_path: Path) -> None:
    for number in range(109):
        (tmp_path / f"{number:03}.png").write_text("no image")
    with pytest.raises(DataError, match=r"099\.png.*\n\.\.\. and 9 more$"):
        folder(tmp_path, classes=0).open()


def test_broken_image_on_demand_is_named_when_it_is_read(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    images = folder(pets).open()
    (pets / "cats" / "a.png").unlink()
    assert images.read(torch.tensor([1, 2])).shape == (2, 3, 8, 8)
    with pytest.raises(DataError, match=r"a\.png cannot be read"):
        images.read(torch.tensor([1, 0]))


def test_link_to_nowhere_is_named(pets: Path) -> None:
    (pets / "dogs" / "z.png").symlink_to(pets / "nowhere.png")
    with pytest.raises(DataError, match=r"z\.png cannot be read"):
        folder(pets).open()


@pytest.mark.parametrize("memory", [0, 2**20])
def test_a_class_of_one_image_is_trained_on(tmp_path: Path, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its name: half of all names are held out."""
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    for number in range(12):
        paint(tmp_path / f"class{number}" / f"{number}.png", number)
    paint(tmp_path / "class3" / "more.png", 99)
    images = folder(tmp_path, classes=12, held_out=0.5).open()
    assert set(images.labels[images.split["train"]].tolist()) == set(range(12))


@pytest.mark.parametrize("memory", [0, 2**20])
def test_classes_are_called_as_their_folders(tmp_path: Path, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their names as text: 10 comes before 2."""
    monkeypatch.setattr(image_folder, "MEMORY", memory)
    for number in range(1, 11):
        paint(tmp_path / str(number) / "a.png", number)
    dataset = folder(tmp_path, classes=10)
    images = dataset.open()
    assert images.class_names == ("1", "10", "2", "3", "4", "5", "6", "7", "8", "9")
    assert [entry.name for entry in dataset.count()] == list(images.class_names)
    for name in images.class_names:
        (index,) = torch.nonzero(images.labels == images.class_names.index(name))
        with Image.open(tmp_path / name / "a.png") as image:
            square = image.convert("RGB").resize((8, 8), Image.Resampling.BICUBIC, box=(0, 1, 10, 11))
        assert np.array_equal(images.read(index)[0].permute(1, 2, 0), square)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_counts_are_those_of_what_is_trained_on(pets: Path, share: float) -> None:
    dataset = folder(pets, held_out=share)
    images = dataset.open()
    trained = images.labels[images.split["train"]].bincount(minlength=3).tolist()
    assert [(entry.name, entry.count) for entry in dataset.count()] == list(zip(("cats", "dogs", "owls"), trained, strict=True))
    assert folder(pets / "cats", classes=0).count() == ()
    assert folder(pets / "cats", classes=0).open().class_names == ()


@pytest.mark.parametrize(
    "wrong",
    [{"size": 0}, {"channels": 2}, {"classes": -1}, {"held_out": 0.6}, {"held_out": -0.1}, {"size": "8"}, {"on_bad": "keep"}],
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        folder(Path("pets"), **wrong)


def test_a_folder_of_rectangles_is_in_memory_and_batch_by_batch_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (6, 10, 3), np.uint8)).save(tmp_path / f"{i:02}.png")
    data = ImageFolder(path=str(tmp_path), size=[6, 10])  # type: ignore[arg-type]
    assert data.describe().shape == (3, 6, 10)
    index = torch.arange(12)
    whole = data.open().read(index)
    assert whole.shape == (12, 3, 6, 10)
    assert torch.equal(whole[3], torch.from_numpy(np.asarray(Image.open(tmp_path / "03.png")).transpose(2, 0, 1).copy()))
    monkeypatch.setattr("ganblocks_data.image_folder.MEMORY", whole.numel() - 1)
    part = data.open()
    assert torch.equal(part.read(index), whole)
    assert part.fingerprint != ImageFolder(path=str(tmp_path), size=(10, 6)).open().fingerprint


@pytest.mark.parametrize("size", [[8, 8], (8, 8), 8])
def test_a_pair_of_equal_sides_is_a_square(size: Any) -> None:
    assert ImageFolder(path="x", size=size) == ImageFolder(path="x", size=8)
