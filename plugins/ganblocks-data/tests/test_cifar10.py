from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from ganblocks_data.cifar10 import CLASSES, Cifar10
from torchvision.datasets import CIFAR10

from ganblocks import DataError

BATCHES = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]


def rows(seed: int) -> np.ndarray:
    """Four images in CIFAR's own layout: 1024 reds, 1024 greens, 1024 blues."""
    return np.random.default_rng(seed).integers(0, 256, (4, 3072), np.uint8)


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10 in its own file format, four images a file; torchvision expects the MD5 sums of these files."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for seed, name in enumerate(BATCHES):
        labels = [(seed + index) % 10 for index in range(4)]
        (folder / name).write_bytes(pickle.dumps({"data": rows(seed), "labels": labels}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}))
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in BATCHES[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums["batches.meta"]})
    return tmp_path


def test_reads_every_image_in_place(miniature: Path) -> None:
    images = Cifar10(path=str(miniature)).open()
    wanted = np.concatenate([rows(seed) for seed in range(6)]).reshape(24, 3, 32, 32)
    pixels = images.read(torch.arange(24))
    assert pixels.dtype == torch.uint8
    assert np.array_equal(pixels, wanted)
    assert images.labels.tolist() == [(seed + index) % 10 for seed in range(6) for index in range(4)]
    assert images.split["train"].tolist() == list(range(20))
    assert images.split["held_out"].tolist() == [20, 21, 22, 23]


def test_describe_needs_no_disk() -> None:
    spec = Cifar10().describe()
    assert (spec.channels, spec.size, spec.classes, len(spec.class_names)) == (3, 32, 10, 10)


def test_missing_files_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "download", lambda self: pytest.fail("downloads only if download = true"))
    with pytest.raises(DataError, match=r"(?s)cifar-10-batches-py.*not found.*cifar-10-python\.tar\.gz.*download = true"):
        Cifar10(path=str(tmp_path)).open()


def test_one_changed_byte_is_refused(miniature: Path) -> None:
    path = miniature / "cifar-10-batches-py" / "data_batch_3"
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="not whole"):
        Cifar10(path=str(miniature)).open()


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("name", [*BATCHES, "batches.meta"])
def test_strange_pickles_are_never_unpickled(miniature: Path, name: str) -> None:
    exploded = miniature / "exploded"
    (miniature / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(Bomb(exploded)))
    with pytest.raises(DataError):
        Cifar10(path=str(miniature)).open()
    assert not exploded.exists()


def test_failing_download_is_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: CIFAR10) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(CIFAR10, "download", fail)
    with pytest.raises(DataError, match="no route to host"):
        Cifar10(path=str(tmp_path), download=True).open()
