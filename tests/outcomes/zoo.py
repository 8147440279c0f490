"""A tiny class folder, a recipe for it, and a run of which every moment is kept: what the recomputing tests look at.

The folder is in the order of its classes, as such folders are; its classes have names of mixed case and unequal counts.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ganblocks import Recipe, Registry, discover, read_recipe, run
from ganblocks.assembly import Session, build_generator
from ganblocks.cli import main
from ganblocks.evaluation import Scoring, evaluation_settings
from ganblocks.training import launch
from ganblocks.training.sampler import Sampler

REGISTRY: Registry = discover()
COLOURS = {"Mango": (255, 170, 20), "Zebra": (60, 60, 70), "apple": (200, 30, 40), "kiwi": (120, 180, 60)}
"""In the order of the folders."""
COUNTS = {"Mango": 23, "Zebra": 12, "apple": 30, "kiwi": 17}
SIZE = 8


def make_folder(root: Path) -> Path:
    """Classes of one colour each, with noise."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True)
        for i in range(COUNTS[name]):
            pixels = np.clip(np.asarray(colour) + rng.integers(-50, 50, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:02d}.png")
    return root


RECIPE = """
title = "Fruit & a zebra"
[data]
use = "image_folder"
path = "{path}"
size = 8
classes = 4
held_out = 0.25
augment = "flip"
[generator]
use = "resnet"
width = 8
latent = 16
multipliers = [1, 1]
attention_at = [8]
norm = "conditional_batch"
weight_norm = "spectral"
attention = {{ use = "self_attention", gamma = 0.2 }}
[discriminator]
use = "resnet"
width = 8
multipliers = [1, 1]
halvings = 1
attention_at = [4]
conditioning = "projection"
weight_norm = "spectral"
attention = "self_attention"
augment = {{ use = "diffaug", policy = ["color", "translation"] }}
[loss]
use = "hinge"
[penalties.r1]
weight = {{ use = "linear", start = 0.0, end = 8.0 }}
every = 2
[update]
use = "ttur"
discriminator_steps = 2
rate_factor = {{ use = "linear", start = 2.0, end = 0.2 }}
[update.generator]
use = "adam"
rate = 2e-3
betas = [0.0, 0.9]
[update.discriminator]
use = "adam"
rate = 4e-3
betas = [0.0, 0.9]
[average]
decay = 0.6
start = 20
[training]
images = 112
batch = 8
samples_every = 40
checkpoint_every = 40
statistics_every = 1
[health]
not_finite = "rollback"
[evaluation]
extractor = {{ use = "pixels", size = 1 }}
every = 40
[evaluation.metrics.kernel]
subsets = 1
[evaluation.metrics.frechet]
[evaluation.metrics.frechet_per_class]
[evaluation.metrics.precision_recall]
neighbours = 15
[evaluation.metrics.density_coverage]
neighbours = 15
"""
MOMENTS = [48, 80, 112]
"""Images seen at the first step past each multiple of 40, and at the end, with 16 a step."""


def write_recipe_of(folder: Path, images: Path) -> Path:
    path = folder / "zoo.toml"
    path.write_text(RECIPE.format(path=images))
    return path


@attrs.define
class Kept:
    """A run, and copies of what it held."""

    folder: Path
    recipe: Recipe
    session: Session
    begin: dict[str, Tensor]
    """The state of the game before the first step."""
    networks: Mapping[str, nn.Module]
    """Copies of both networks before the first step."""
    states: list[dict[str, Tensor]]
    """The state of the game after each step."""
    seen: list[dict[str, Any]]
    """What the watch was given."""
    clock: list[float]
    """When the watch was called."""
    waited: list[float]
    """How long each scoring took."""
    checkpoints: Path
    """All of them, those that the run has removed since included."""

    def checkpoint(self, images: int) -> Path:
        return self.checkpoints / f"images-{images:010d}"

    def tensors(self, images: int, which: str) -> dict[str, Tensor]:
        return load_file(self.checkpoint(images) / f"{which}.safetensors")

    def generator(self, images: int, weights: str = "average") -> nn.Module:
        """The generator of a moment, built anew and given what the disk holds."""
        network = build_generator(self.recipe, self.session.image, seed=99)
        found = self.tensors(images, "average" if weights == "average" else "game")
        if weights == "live":
            found = part(found, "generator")
        network.load_state_dict(found)
        return network.eval()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]


def part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries under a prefix, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in state.items() if name.startswith(f"{prefix}.")}


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


def train(path: Path, folder: Path, seed: int = 0, scored: bool = True, **how: Any) -> Kept:
    """Train as ``ganblocks run`` does, and keep every moment."""
    recipe = read_recipe(path, registry=REGISTRY)
    kept: list[Kept] = []
    checkpoints = folder.parent / f"{folder.name}-checkpoints"

    def assembled(*args: Any, **named: Any) -> Session:
        session = ASSEMBLE(*args, **named)
        game = session.game
        networks = {str(player): copy.deepcopy(network) for player, network in game.networks.items()}
        kept.append(Kept(folder, recipe, session, copied(game.state_dict()), networks, [], [], [], [], checkpoints))
        return session

    def watch(record: dict[str, Any]) -> None:
        kept[0].clock.append(time.perf_counter())
        _gather(folder, checkpoints)
        kept[0].states.append(copied(kept[0].session.game.state_dict()))
        kept[0].seen.append(dict(record))

    class Slow(Scoring):
        """Scoring that takes its time, and says how much."""

        def __call__(self, sampler: Sampler, images_seen: int) -> None:
            began = time.perf_counter()
            time.sleep(0.3)
            super().__call__(sampler, images_seen)
            kept[0].waited.append(time.perf_counter() - began)

    scoring = (
        Slow(recipe.data.dataset, evaluation_settings(recipe.evaluation, REGISTRY, "cpu"), REGISTRY, folder) if scored else None
    )
    with patch.object(launch, "assemble", assembled):
        run(recipe, folder, "cpu", seed, REGISTRY, watch, scoring, **how)
    _gather(folder, checkpoints)
    return kept[0]


ASSEMBLE = launch.assemble


def _gather(folder: Path, checkpoints: Path) -> None:
    for found in (folder / "checkpoints").glob("images-*"):
        if not (checkpoints / found.name).exists():
            shutil.copytree(found, checkpoints / found.name)


def say(*words: object, code: int = 0) -> str:
    """Run the command line in this process; returns what it printed on stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as err:
        assert main([str(word) for word in words]) == code, err.getvalue()
    return out.getvalue()


def pixels_of(path: Path) -> np.ndarray:
    """[H, W, 3] of a picture."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def rounded(images: Tensor) -> np.ndarray:
    """[n, C, H, W] in [-1, 1] -> uint8 [n, H, W, C]."""
    levels = np.clip((images.detach().numpy().astype(np.float64) + 1) / 2, 0, 1) * 255
    return np.rint(levels).astype(np.uint8).transpose(0, 2, 3, 1)


def tiles_of(path: Path, rows: int, columns: int, size: int = SIZE) -> np.ndarray:
    """uint8 [rows, columns, size, size, 3] of a grid, whose every tile is enlarged by one whole factor."""
    picture = pixels_of(path)
    factor = picture.shape[0] // (rows * size)
    assert picture.shape == (rows * size * factor, columns * size * factor, 3)
    small = picture[::factor, ::factor]
    assert np.array_equal(np.kron(small, np.ones((factor, factor, 1), np.uint8)), picture), "enlarged without smoothing"
    return np.stack([np.stack(np.split(row, columns, 1)) for row in np.split(small, rows, 0)])


def flops_per_image(network: nn.Module, shape: tuple[int, ...]) -> int:
    """What torch counts of a forward of one image more in a batch."""
    counts = []
    for n in (4, 8):
        with FlopCounterMode(display=False) as counter:
            network(torch.randn(n, *shape), torch.arange(n) % 4)
        counts.append(counter.get_total_flops())
    return (counts[1] - counts[0]) // 4


def files_by_class(root: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Number and pixels [H, W, 3] of every file: numbers follow the folders' names."""
    for label, name in enumerate(sorted(folder.name for folder in root.iterdir())):
        for file in sorted((root / name).iterdir()):
            yield label, pixels_of(file)
