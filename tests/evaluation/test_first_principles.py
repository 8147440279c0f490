"""Every number of a report computed again from the files on the disk, in numpy: images in class order, names of mixed case."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ganblocks import Images, ImageSpec, discover
from ganblocks.evaluation import EvaluationSettings, Evaluator, Report
from ganblocks.study.cells import Result
from ganblocks.study.writing import cells_csv
from ganblocks.training.sampler import Sampler

SIZE, EACH = 8, 20
CLASSES = ("Zebra", "apple", "Berry")
"""Capitals sort before small letters, or not, as a file system likes: the classes' order is the data set's."""
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class by class in the order of the folder; every class has a brightness of its own, and every image its own pixels."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(7)
    for k, name in enumerate(CLASSES):
        (folder / name).mkdir()
        for i in range(EACH):
            pixels = rng.integers(0, 40, (SIZE, SIZE, 3)) + 80 * k
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{'iI'[i % 2]}{i}.png")
    return folder


class Painter(nn.Module):
    """A generator whose images tell their class and latent: class k is grey at 80 k, with a little of the latent."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.order = torch.tensor(order)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        level = (80 * self.order[label] + 20)[:, None].float() + 5 * z
        return (level / 127.5 - 1).view(-1, 3, SIZE, SIZE)


class Copier(Painter):
    """Shows training images, one for each sample of its class, nearly as they are."""

    def __init__(self, order: list[int], images: Images) -> None:
        super().__init__(order)
        self.images = images

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        train = self.images.split["train"]
        mine = [train[self.images.labels[train] == int(k)] for k in label]
        chosen = torch.stack(
            [places[int(abs(float(row[0])) * 1000) % len(places)] for places, row in zip(mine, z, strict=True)]
        )
        return self.images.read(chosen).float() / 127.5 - 1


def opened(photos: Path) -> tuple[Images, ImageSpec]:
    dataset = discover().create("dataset", "image_folder", path=str(photos), size=SIZE, classes=3, held_out=0.25)
    return dataset.open(), dataset.describe()


def folder_of(pixels: NDArray[np.uint8]) -> int:
    """The class of an image by its brightness."""
    return int(pixels.mean() // 80)


def order_of(images: Images) -> list[int]:
    """Class number of the data set -> number of the folder in CLASSES, by what the images look like."""
    return [folder_of(images.read(torch.nonzero(images.labels == k)[:1, 0]).numpy()) for k in range(3)]


def scorer(photos: Path, network: type[Painter]) -> tuple[Report, Images, Sampler, Evaluator]:
    images, image = opened(photos)
    network_ = network(order_of(images)) if network is Painter else Copier(order_of(images), images)
    registry = discover()
    metrics = {name: registry.create("metric", name) for name in ("kernel", "frechet", "precision_recall", "density_coverage")}
    settings = EvaluationSettings(
        extractor=registry.create("feature_extractor", "pixels"), metrics=metrics, n=30, device="cpu", seed=3
    )
    evaluator, sampler = Evaluator(images, image, settings, registry), Sampler(network_, 3 * SIZE * SIZE, image)
    return evaluator.report(sampler, 64), images, sampler, evaluator


def on_disk(photos: Path) -> dict[bytes, Array]:
    """Pixels -> features of every file, read by nothing of ganblocks."""
    arrays = [np.asarray(Image.open(path)) for path in photos.rglob("*.png")]
    return {pixels.tobytes(): pixels.transpose(2, 0, 1).reshape(-1) / 255 for pixels in arrays}


def features(images: Images, places: Tensor, files: dict[bytes, Array]) -> Array:
    """Of the files that stand at these places."""
    return np.stack([files[pixels.permute(1, 2, 0).contiguous().numpy().tobytes()] for pixels in images.read(places)])


def noise(count: int, seed: int) -> Array:
    """Images of noise: each from a generator of its own, as the protocol of version 0.1.0 has them."""
    drawn = [
        torch.randint(256, (3, SIZE, SIZE), generator=torch.Generator().manual_seed(seed * 1_000_003 + i), dtype=torch.uint8)
        for i in range(count)
    ]
    return np.stack([each.numpy().reshape(-1) / 255 for each in drawn])


def kd(x: Array, y: Array) -> float:
    """The unbiased squared maximum mean discrepancy, pair by pair."""

    def mean(a: Array, b: Array, same: bool) -> float:
        values = [(float(p @ q) / len(p) + 1) ** 3 for i, p in enumerate(a) for j, q in enumerate(b) if not (same and i == j)]
        return sum(values) / len(values)

    return mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)


def fd(x: Array, y: Array) -> float:
    """The squared gap of the means, and the covariances by their product, which is not symmetric."""
    one, two = np.cov(x.T), np.cov(y.T)
    cross = np.sqrt(np.linalg.eigvals(one @ two).real.clip(0)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(one) + np.trace(two) - 2 * cross)


def coverage(x: Array, y: Array, k: int = 5) -> float:
    """The share of x that has one of y nearer than its own k-th neighbour."""
    reach = [sorted(float(np.linalg.norm(p - q)) for q in x)[k] for p in x]
    return float(np.mean([min(float(np.linalg.norm(p - q)) for q in y) < r for p, r in zip(x, reach, strict=True)]))


def nearest(x: Array, y: Array) -> float:
    return float(np.mean([min(float(np.linalg.norm(p - q)) for q in y) for p in x]))


@pytest.fixture(scope="module")
def painted(photos: Path) -> tuple[Report, Images, Sampler, Evaluator]:
    return scorer(photos, Painter)


@pytest.fixture(scope="module")
def parts(photos: Path, painted: tuple[Report, Images, Sampler, Evaluator]) -> dict[str, Array]:
    """Features of the real images, the held-out ones, noise and the samples."""
    _, images, sampler, evaluator = painted
    files = on_disk(photos)
    real = evaluator.indices
    latent, labels = sampler.inputs(30, images.labels[real].tolist(), 3)
    made = ((sampler.draw(latent, labels).numpy() + 1) * 127.5).round().clip(0, 255) / 255
    return {
        "real": features(images, real, files),
        "held_out": features(images, images.split["held_out"], files),
        "noise": noise(30, 3),
        "fake": made.reshape(30, -1),
    }


def test_training_and_held_out_images_have_nothing_in_common(
    photos: Path, painted: tuple[Report, Images, Sampler, Evaluator]
) -> None:
    _, images, _, evaluator = painted
    train, held_out = (set(images.split[name].tolist()) for name in ("train", "held_out"))
    assert train.isdisjoint(held_out)
    assert train | held_out == set(range(3 * EACH))
    assert set(evaluator.indices.tolist()) <= train
    assert len(on_disk(photos)) == 3 * EACH


def test_samples_are_asked_for_in_the_classes_of_the_real_images(painted: tuple[Report, Images, Sampler, Evaluator]) -> None:
    """Told by their brightness, one by one: not by counts, which a turned order would keep."""
    _, images, sampler, evaluator = painted
    real = [folder_of(pixels.numpy()) for pixels in images.read(evaluator.indices)]
    assert len(set(real)) == 3
    seen: list[int] = []
    hook = sampler.network.register_forward_hook(
        lambda _module, _inputs, made: seen.extend(folder_of((each.numpy() + 1) * 127.5) for each in made.detach())
    )
    evaluator.report(sampler, 64)
    hook.remove()
    assert seen == real


@pytest.mark.parametrize(("column", "part"), [("value", "fake"), ("held_out", "held_out"), ("noise", "noise")])
def test_every_column_is_of_its_own_images(
    column: str, part: str, painted: tuple[Report, Images, Sampler, Evaluator], parts: dict[str, Array]
) -> None:
    scores = {score.name.partition("[")[0]: getattr(score, column) for score in painted[0].scores}
    if len(parts[part]) == len(parts["real"]):  # else a mean over random parts of the larger set
        assert scores["kd"] == pytest.approx(kd(parts["real"], parts[part]), rel=1e-5, abs=1e-6)
    assert scores["fd"] == pytest.approx(fd(parts["real"], parts[part]), rel=1e-4)
    assert scores["coverage"] == pytest.approx(coverage(parts["real"], parts[part]))
    assert len({round(fd(parts["real"], parts[name]), 3) for name in parts}) == 4, "the columns can be told apart"


def test_the_memorisation_ratio_is_of_samples_over_held_out(
    photos: Path, painted: tuple[Report, Images, Sampler, Evaluator], parts: dict[str, Array]
) -> None:
    expected = nearest(parts["fake"], parts["real"]) / nearest(parts["held_out"], parts["real"])
    assert painted[0].nearest == pytest.approx(expected, rel=1e-5)
    copied = scorer(photos, Copier)[0].nearest
    assert copied is not None
    assert copied < 0.6, "a generator that shows training images is nearer to them than held-out images are"


def test_cells_csv_has_every_number_in_its_own_column(painted: tuple[Report, Images, Sampler, Evaluator]) -> None:
    report = painted[0]
    rows = list(csv.DictReader(cells_csv([Result("mine", 4, False, 0.5, (report,), 8.0)]).splitlines()))
    assert len(rows) == len(report.scores)
    for row, score in zip(rows, report.scores, strict=True):
        assert (row["variant"], row["seed"], row["images"], row["score"]) == ("mine", "4", "64", score.name)
        for column in ("value", "held_out", "noise"):
            number = getattr(score, column)
            assert row[column] == ("" if number is None else repr(number))
        assert (row["protocol"], row["diverged"], row["step_images"], row["step_seconds"]) == (score.id, "no", "8.0", "0.5")
