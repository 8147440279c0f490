"""What a user gets is what was trained: for every shipped recipe on embedded images, at a small size."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from PIL import Image

from ganblocks import load
from ganblocks.evaluation import Report, evaluate, evaluation_settings
from ganblocks.seeding import seed_of
from ganblocks.training import batch_statistics
from ganblocks.training.launch import resume
from ganblocks.training.sampler import Sampler
from tests.cli.commands import ganblocks
from tests.outcomes.small_runs import REGISTRY, embedded, kernel_distance, read, small, train


@pytest.fixture(autouse=True)
def fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics of the average from 256 samples instead of 1,024: most of the time goes into them."""
    monkeypatch.setattr(batch_statistics, "SAMPLES", 256)


@pytest.mark.parametrize("name", embedded())
def test_what_a_user_gets_is_what_was_trained(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One test a recipe, because each is trained once."""
    folder = tmp_path / "run"
    reports = train(small(name), folder)
    training_three_times_as_long_scores_better(name, reports)
    what_is_shown_is_as_good_as_what_was_trained(name, folder, reports)
    modes_of_batch_norm_agree(name, folder, reports)
    the_run_s_grid_shows_what_load_draws(folder)
    sample_draws_what_load_draws(folder, tmp_path / "grid.png")
    a_run_that_was_resumed_shows_the_same_pixels(folder, tmp_path / "resumed")
    record_property("score", kernel_distance(reports[-1]))
    for ablation in list(read(name).ablation)[:1]:  # recorded, not scorer: runs this short say nothing about a component
        record_property(ablation, kernel_distance(train(small(name, ablation), tmp_path / "without")[-1]))


def scored(name: str, folder: Path, **how: Any) -> float:
    """A score of a run, as ``ganblocks evaluate`` computes it."""
    settings = attrs.evolve(evaluation_settings(small(name).evaluation, REGISTRY, "cpu"), **how)
    return kernel_distance(evaluate(folder, settings, REGISTRY))


def training_three_times_as_long_scores_better(name: str, reports: list[Report]) -> None:
    assert [report.images for report in reports] == [small(name).training.images * part // 3 for part in (1, 2, 3)]
    assert kernel_distance(reports[2]) < kernel_distance(reports[0])


def what_is_shown_is_as_good_as_what_was_trained(name: str, folder: Path, reports: list[Report]) -> None:
    """Of the live weights the better of two batch-norm statistics may be better by chance, so few are the steps."""
    shown = kernel_distance(reports[2])
    live = max(scored(name, folder, weights="live", batch_norm=mode) for mode in ("moving", "standing"))
    assert scored(name, folder) == shown
    began = kernel_distance(reports[0])
    assert shown < live + max(0.5 * (began - live), 0.1 * began), (began, shown, live)


def modes_of_batch_norm_agree(name: str, folder: Path, reports: list[Report]) -> None:
    shown = kernel_distance(reports[2])
    noise = max(abs(shown - scored(name, folder, seed=seed)) for seed in (1, 2))
    for mode in ("standing", "batch"):
        assert abs(scored(name, folder, batch_norm=mode) - shown) < 3 * noise + 0.05 * shown, mode


def the_run_s_grid_shows_what_load_draws(folder: Path) -> None:
    """Tile by tile, from latents and classes that are computed here again: a row per class, in the order of the classes."""
    sampler = load(folder, registry=REGISTRY)
    rows = sampler.image.classes or 8
    columns = 12 if sampler.image.classes else 8
    rng = torch.Generator().manual_seed(seed_of(0, "grid"))
    latent = torch.randn(rows * columns, sampler.latent, generator=rng)
    label = torch.arange(rows).repeat_interleave(columns) if sampler.image.classes else None
    grid = sorted((folder / "samples").glob("*.png"))[-1]
    assert np.array_equal(tiles(grid, sampler, rows, columns), as_bytes(sampler.draw(latent, label)))


def sample_draws_what_load_draws(folder: Path, picture: Path) -> None:
    assert ganblocks("sample", str(folder), "--n", "9", "--seed", "5", "--out", str(picture)).returncode == 0
    sampler = load(folder, registry=REGISTRY)
    assert np.array_equal(tiles(picture, sampler, 3, 3), as_bytes(sampler.sample(9, seed=5)))


def a_run_that_was_resumed_shows_the_same_pixels(folder: Path, resumed: Path) -> None:
    """The last third again, from the checkpoint before."""
    shutil.copytree(folder, resumed)
    shutil.rmtree(sorted((resumed / "checkpoints").iterdir())[-1])
    grid = sorted((resumed / "samples").glob("*.png"))[-1]
    grid.unlink()
    resume(resumed, registry=REGISTRY)
    assert grid.read_bytes() == sorted((folder / "samples").glob("*.png"))[-1].read_bytes()
    images = [load(each, registry=REGISTRY).sample(4, seed=1) for each in (folder, resumed)]
    assert torch.equal(*images)


def tiles(path: Path, sampler: Sampler, rows: int, columns: int) -> np.ndarray:
    """The images [rows · columns, H, W, C] of a PNG, at their own size."""
    spec = sampler.image
    picture = Image.open(path)
    scale = picture.width // (columns * spec.shape[2])
    pixels = np.asarray(picture).reshape(*np.asarray(picture).shape[:2], -1)[::scale, ::scale]
    _, height, width = spec.shape
    cut = pixels.reshape(rows, height, columns, width, spec.channels)
    return cut.transpose(0, 2, 1, 3, 4).reshape(-1, height, width, spec.channels)


def as_bytes(images: torch.Tensor) -> np.ndarray:
    """[n, C, H, W] in [-1, 1] -> uint8 [n, H, W, C]."""
    pixels = images.float().numpy().transpose(0, 2, 3, 1)
    return np.rint((np.clip(pixels, -1, 1) + np.float32(1)) * np.float32(127.5)).astype(np.uint8)
