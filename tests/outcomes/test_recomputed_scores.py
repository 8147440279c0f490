"""Every number of an evaluation, from features extracted here of native samples, of real images, and of both controls."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import nn
from torch.nn.functional import interpolate

from ganblocks import load
from ganblocks.evaluation.features import choose_indices, noise_images
from ganblocks.seeding import seed_of
from ganblocks.training.sampler import Sampler
from tests.outcomes.zoo import MOMENTS, REGISTRY, Kept, files_by_class, rounded, say

Array = np.ndarray


def features_of(pixels: Array, size: int = 1) -> Array:
    """uint8 [n, H, W, C] -> float64 [n, C · size²]: the ``pixels`` extractor, by its description."""
    images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float64))
    return interpolate(images, size=(size, size), mode="bilinear", antialias=True).flatten(1).numpy() / 255


def apart(one: Array, two: Array) -> Array:
    return np.sqrt(((one[:, None] - two[None]) ** 2).sum(2))


def kernel(real: Array, fake: Array) -> float:
    """The unbiased squared maximum mean discrepancy of (x·y / D + 1)³, by loops over pairs."""

    def of(one: Array, two: Array) -> Array:
        return (one @ two.T / one.shape[1] + 1) ** 3

    def among(x: Array) -> float:
        return float((of(x, x).sum() - np.trace(of(x, x))) / (len(x) * (len(x) - 1)))

    return among(real) + among(fake) - 2 * float(of(real, fake).mean())


def frechet(real: Array, fake: Array) -> float:
    one, two = (np.cov(x, rowvar=False) for x in (real, fake))
    root = linalg.sqrtm(one @ two)
    return float(((real.mean(0) - fake.mean(0)) ** 2).sum() + np.trace(one + two - 2 * root.real))


def reach(x: Array, k: int) -> Array:
    """Distance to the k-th nearest other."""
    return np.sort(apart(x, x), 1)[:, k]


def recomputed(real: Array, real_labels: Array, fake: Array, fake_labels: Array) -> dict[str, float]:
    """Every number of the zoo's metrics, by its definition."""
    k, between = 15, apart(real, fake)
    found = {"fd": frechet(real, fake)}
    if len(real) == len(fake):  # with fewer of one kind the estimate is of a subset
        found["kd"] = kernel(real, fake)
    found["intra_fd"] = float(
        np.mean([frechet(real[real_labels == c], fake[fake_labels == c]) for c in np.unique(real_labels)])
    )
    found["precision"] = float((between <= reach(real, k)[:, None]).any(0).mean())
    found["recall"] = float((between <= reach(fake, k)[None]).any(1).mean())
    within = between < reach(real, k)[:, None]
    found["density"], found["coverage"] = float(within.sum(0).mean() / k), float(within.any(1).mean())
    return found


def real_of(zoo: Kept, root: Path, side: str) -> tuple[Array, Array, Array]:
    """Pixels, features and labels of one side of the split, from the files themselves."""
    files = list(files_by_class(root))
    places = zoo.session.batches.images.split[side].tolist()
    pixels, labels = np.stack([files[i][1] for i in places]), np.asarray([files[i][0] for i in places])
    return pixels, features_of(pixels), labels


def samples_of(network: nn.Module, labels: Array, seed: int = 0, by_batch: bool = False) -> Array:
    """Features of native samples of those classes; ``by_batch``: norms normalise by their batch."""
    sampler = Sampler(network, 16, SPEC[0])
    for module in network.modules():
        module.training = by_batch and hasattr(module, "running_mean")
    latent, label = sampler.inputs(len(labels), labels.tolist(), seed)
    with torch.no_grad():
        return features_of(
            rounded(torch.cat([network(latent[i : i + 64], label[i : i + 64]) for i in range(0, len(latent), 64)]))
        )


SPEC: list[Any] = []


@pytest.fixture(autouse=True)
def _spec(zoo: Kept) -> None:
    SPEC[:] = [zoo.session.image]


def named(scores: list[dict[str, Any]], column: str = "value") -> dict[str, float]:
    return {score["name"].partition("[")[0]: score[column] for score in scores}


def agree(said: dict[str, float], mine: dict[str, float]) -> None:
    for name, value in mine.items():
        assert said[name] == pytest.approx(value, rel=2e-3, abs=2e-5), name


def ratio(real: Array, fake: Array, held_out: Array) -> float:
    """How far samples are from their nearest training image, over how far held-out images are."""
    return float(apart(fake, real).min(1).mean() / apart(held_out, real).min(1).mean())


def test_scores_within_a_run_are_of_the_average_of_their_moment(zoo: Kept, images: Path) -> None:
    _, real, labels = real_of(zoo, images, "train")
    _, held_out, held_labels = real_of(zoo, images, "held_out")
    static = features_of(noise_images((3, 8, 8), 0)(torch.arange(len(real))).permute(0, 2, 3, 1).numpy())
    reports = json.loads((zoo.folder / "scores.json").read_text())
    assert [report["images"] for report in reports] == MOMENTS
    values = []
    for report in reports:
        fake = samples_of(zoo.generator(report["images"]), labels)
        agree(named(report["scores"]), recomputed(real, labels, fake, labels))
        agree(named(report["scores"], "held_out"), recomputed(real, labels, held_out, held_labels))
        agree(named(report["scores"], "noise"), recomputed(real, labels, static, labels))
        assert report["nearest"] == pytest.approx(ratio(real, fake, held_out), rel=1e-3)
        values.append(named(report["scores"])["fd"])
    assert len({round(value, 4) for value in values}) == 3
    better = {"kd": "lower", "fd": "lower", "intra_fd": "lower"}
    better |= dict.fromkeys(("precision", "recall", "density", "coverage"), "higher")
    said = named(reports[-1]["scores"], "better")
    assert {name: said[name] for name in better} == better


def test_per_class_numbers_are_of_their_own_class(zoo: Kept, images: Path) -> None:
    """The distance within classes changes much where samples are compared with the class beside theirs."""
    _, real, labels = real_of(zoo, images, "train")
    fake = samples_of(zoo.generator(112), labels)
    shifted = recomputed(real, labels, np.roll(fake, 9, 0), labels)["intra_fd"]
    said = named(json.loads((zoo.folder / "scores.json").read_text())[-1]["scores"])["intra_fd"]
    assert abs(said - shifted) > 1e-3, "the test could not tell one from the other"


@pytest.fixture
def run(zoo: Kept, tmp_path: Path) -> Path:
    """A copy of the run, to write scores into."""
    shutil.copytree(zoo.folder, tmp_path / "run")
    (tmp_path / "run" / "scores.json").unlink()
    return tmp_path / "run"


METRICS = ("--metric", "frechet", "--metric", "{ use = 'precision_recall', neighbours = 15 }")
"""What the command line names in place of the recipe's."""


CASES: dict[str, tuple[list[str], str, dict[str, Any]]] = {
    "as it is": ([], "average", {}),
    "live": (["--live"], "live", {}),
    "another seed": (["--seed", "5"], "average", {"seed": 5}),
    "by batch": (["--batch-norm", "batch"], "average", {"by_batch": True}),
    "more samples than images": (["--n", "150"], "average", {}),
    "a part of the images": (["--n", "40"], "average", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_evaluate_scores_what_it_says(case: str, run: Path, zoo: Kept, images: Path) -> None:
    words, weights, options = CASES[case]
    report = json.loads(say("evaluate", run, "--json", "--device", "cpu", *words))
    assert json.loads((run / "scores.json").read_text()) == [report]
    files, seed = list(files_by_class(images)), options.get("seed", 0)
    n = int(words[1]) if "--n" in words else 64
    places = choose_indices(zoo.session.batches.images, "train", min(n, 64), seed_of(seed, "real") % 2**31).tolist()
    real, labels = features_of(np.stack([files[i][1] for i in places])), np.asarray([files[i][0] for i in places])
    _, held_out, _ = real_of(zoo, images, "held_out")
    wanted = np.tile(labels, 3)[:n]
    fake = samples_of(zoo.generator(112, weights), wanted, **options)
    assert report["images"] == 112
    mine = recomputed(real, labels, fake, wanted)
    agree(named(report["scores"]), mine)
    assert report["nearest"] == pytest.approx(ratio(real, fake, held_out), rel=1e-3)
    protocol = report["scores"][0]["protocol"]
    assert protocol["real"].startswith(f"{len(places)} ")
    assert zoo.session.batches.images.fingerprint in protocol["real"]
    assert protocol["fake"].startswith(f"{n} ")
    assert ("live" in protocol["fake"]) == (weights == "live")
    assert protocol["seed"] == str(seed)
    assert protocol["batch_norm"] == ("batch" if case == "by batch" else "moving")
    assert protocol["truncation"] == "none"
    assert protocol["held_out"].startswith(f"{len(held_out)} ")
    assert "to 1" in protocol["resize"]


def test_evaluate_under_truncation_draws_cut_latents(run: Path, zoo: Kept, images: Path) -> None:
    report = json.loads(say("evaluate", run, "--json", "--truncation", "0.4", "--device", "cpu", *METRICS))
    _, real, labels = real_of(zoo, images, "train")
    sampler = load(run, registry=REGISTRY)
    latent, label = sampler.inputs(64, labels.tolist(), 0, 0.4)
    assert float(latent.abs().max()) <= 0.4
    with torch.no_grad(), sampler.statistics_for(0.4):
        fake = features_of(rounded(sampler.network(latent, label)))
    mine = recomputed(real, labels, fake, labels)
    agree(named(report["scores"]), {name: mine[name] for name in ("fd", "precision", "recall")})
    assert report["scores"][0]["protocol"]["truncation"].startswith("0.4")


def test_standing_statistics_are_of_the_weights(run: Path, zoo: Kept, images: Path) -> None:
    """Close to what the average was saved with, and far from what the live network holds."""
    shown = named(json.loads((zoo.folder / "scores.json").read_text())[-1]["scores"])["fd"]
    found = {}
    for weights in ([], ["--live"]):
        words = ("evaluate", run, "--json", "--batch-norm", "standing", "--device", "cpu", *weights)
        found[bool(weights)] = named(json.loads(say(*words))["scores"])["fd"]
    assert found[False] == pytest.approx(shown, rel=0.1)
    _, real, labels = real_of(zoo, images, "train")
    mine = frechet(real, samples_of(zoo.generator(112, "live"), labels, by_batch=True))
    assert found[True] == pytest.approx(mine, rel=0.25)


def test_the_printed_table_is_the_report(run: Path) -> None:
    """Column by column: samples, held-out real images, noise."""
    text = say("evaluate", run, "--device", "cpu")
    (report,) = json.loads((run / "scores.json").read_text())
    header = next(line for line in text.splitlines() if "held-out real" in line)
    assert header.split()[:5] == ["score", "samples", "held-out", "real", "noise"]
    for score in report["scores"]:
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [score["name"]]]
        numbers = [f"{score[column]:.4g}" for column in ("value", "held_out", "noise") if score[column] is not None]
        assert line.split()[1 : 1 + len(numbers)] == numbers
        assert line.split()[-1] == score["id"]
    assert f"{report['nearest']:.3g} times" in text
    assert "after 112 images" in text
    for name, words in report["scores"][0]["protocol"].items():
        assert f"{name}: {words}" in text


def test_a_memoriser_is_far_below_one(run: Path, zoo: Kept, images: Path) -> None:
    """A generator that returns training images, as the ratio must see it."""
    from ganblocks.evaluation import evaluation_settings
    from ganblocks.evaluation.evaluator import Evaluator

    pixels, *_ = real_of(zoo, images, "train")
    kept = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)) / 127.5 - 1

    class Memoriser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, latent: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            return kept[: len(latent)]

    evaluator = Evaluator(
        zoo.session.batches.images, zoo.session.image, evaluation_settings(zoo.recipe.evaluation, REGISTRY, "cpu"), REGISTRY
    )
    report = evaluator.report(Sampler(Memoriser(), 16, zoo.session.image), 0)
    assert report.nearest == pytest.approx(0, abs=1e-3)
