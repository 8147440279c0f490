"""Every promise that ganblocks makes about a component, checked for this plugin's; what needs files gets some."""

from __future__ import annotations

import hashlib
import pickle
import tempfile
from pathlib import Path

import ganblocks_data
import numpy as np
import pytest
from ganblocks_data.cifar10 import CLASSES, Cifar10
from ganblocks_data.image_folder import ImageFolder
from PIL import Image
from torchvision.datasets import CIFAR10

from ganblocks.testing import Check, conformance

KEPT = tempfile.TemporaryDirectory()
FILES = Path(KEPT.name)
EXAMPLES = {
    "dataset/image_folder": [
        ImageFolder(path=str(FILES / "pets"), size=size, classes=2, channels=channels)
        for size, channels in ((8, 1), (8, 3), ((6, 10), 3))
    ],
    "dataset/cifar10": [Cifar10(path=str(FILES))],
}


@pytest.fixture(scope="module", autouse=True)
def files() -> None:
    """Twelve pictures in two classes, and CIFAR-10 in its own format with two images a file."""
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (FILES / "pets" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(rng.integers(0, 256, (12, 10, 3), np.uint8)).save(FILES / "pets" / name / f"{number}.png")
    folder = FILES / "cifar-10-batches-py"
    folder.mkdir()
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        rows = {"data": rng.integers(0, 256, (2, 3072), np.uint8), "labels": [0, 9]}
        (folder / name).write_bytes(pickle.dumps(rows))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}))


@pytest.fixture(autouse=True)
def sums(files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell torchvision the sums of these files."""
    folder = FILES / "cifar-10-batches-py"
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in ("data_batch_1", "data_batch_2")])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums["batches.meta"]})


@conformance(ganblocks_data, examples=EXAMPLES)
def test_conformance(check: Check) -> None:
    check()
