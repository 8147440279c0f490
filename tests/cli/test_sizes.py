"""Images of one's own of other sizes than the papers': checked, trained, scored and sampled, as a user does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ganblocks_data.digits import Digits
from PIL import Image

import ganblocks as public
from ganblocks.summary import network_costs
from ganblocks.training.pictures import to_bytes
from tests.cli.commands import ganblocks

RECIPE = """
title = "my images"
[data]
use = "image_folder"
path = "{path}"
size = {size}
channels = {channels}
[generator]
use = "resnet"
width = 4
norm = "batch"
attention_at = [{attended}]
attention = {{ use = "self_attention", reduction = 4 }}
[discriminator]
use = "resnet"
width = 4
conditioning = "none"
weight_norm = "spectral"
attention_at = [{attended}]
attention = {{ use = "self_attention", reduction = 4 }}
augment = "diffaug"
[loss]
use = "hinge"
[update]
use = "alternating"
generator = {{ use = "adam", rate = 1e-3 }}
discriminator = {{ use = "adam", rate = 1e-3 }}
[average]
decay = 0.9
[training]
images = {images}
batch = 32
[evaluation]
n = 16
extractor = {{ use = "pixels", size = 8 }}
[evaluation.metrics.kernel]
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey digits of 28×28 pixels in one folder."""
    folder = tmp_path_factory.mktemp("digits")
    pixels = Digits(size=8).open().read(torch.arange(100))
    for i, image in enumerate(pixels):
        Image.fromarray(image[0].numpy()).resize((28, 28)).save(folder / f"{i:03}.png")
    return folder


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in colour, wider than high."""
    folder, rng = tmp_path_factory.mktemp("wide"), np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)).resize((160, 90)).save(folder / f"{i:02}.png")
    return folder


def recipe(folder: Path, images: Path, size: str, channels: int, attended: int, count: int = 64) -> Path:
    text = RECIPE.format(path=images.as_posix(), size=size, channels=channels, attended=attended, images=count)
    (folder / "mine.toml").write_text(text)
    return folder / "mine.toml"


def checked_trained_and_sampled(path: Path, run: Path) -> np.ndarray:
    """The picture of four samples."""
    for words in (("check", path, "--data"), ("run", path, "--out", run), ("sample", run, "--n", "4", "--out", run / "s.png")):
        done = ganblocks(*words)
        assert done.returncode == 0, done.stderr
    return np.asarray(Image.open(run / "s.png"))


def test_28_grey_pixels_are_trained_and_sampled(digits: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    picture = checked_trained_and_sampled(recipe(tmp_path, digits, "28", 1, 14, count=512), run)
    assert "kd[pixels]" in (run / "scores.json").read_text()
    drawn = public.load(run).sample(4)
    assert drawn.shape == (4, 1, 28, 28)
    assert np.array_equal(picture[::2, ::2], tiled(drawn)[0])


def test_rectangles_in_colour_are_trained_and_sampled(wide: Path, tmp_path: Path) -> None:
    """64×128: an attention block on the map of 16×32 is named by the shorter side."""
    run = tmp_path / "run"
    picture = checked_trained_and_sampled(recipe(tmp_path, wide, "[64, 128]", 3, 16, count=32), run)
    drawn = public.load(run).sample(4)
    assert drawn.shape == (4, 3, 64, 128)
    assert np.array_equal(picture, tiled(drawn).transpose(1, 2, 0))
    with Image.open(min((run / "samples").iterdir())) as grid:
        assert (grid.width % 128, grid.height % 64) == (0, 0)


def tiled(images: torch.Tensor) -> np.ndarray:
    """Four images [4, C, H, W] as one picture of two by two: uint8 [C, 2H, 2W]."""
    one, two, three, four = to_bytes(images).numpy()
    return np.concatenate([np.concatenate([one, two], 2), np.concatenate([three, four], 2)], 1)


def test_100_pixels_are_refused_by_one_line_that_says_what_works(tmp_path: Path) -> None:
    done = ganblocks("check", recipe(tmp_path, tmp_path, "100", 3, 24))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "mine.toml: data.size: the generator needs images" in line
    assert line.endswith("got 100×100 pixels; set data.size = 96 or data.size = 112")


def test_the_costs_of_a_rectangle_are_those_of_its_positions(tmp_path: Path) -> None:
    """64×128 pixels take twice the multiplications of 64×64, and no more parameters, save where a whole map is seen."""
    square, wide = (blocks(recipe(tmp_path, tmp_path, size, 3, 32)) for size in ("64", "[64, 128]"))
    assert square.keys() == wide.keys()
    for name, (parameters, flops) in square.items():
        if name not in ("generator.linear", "discriminator.head"):
            assert wide[name] == (parameters, 2 * flops), name


def blocks(path: Path) -> dict[str, tuple[int, int]]:
    """Parameters and FLOPs by block, without attention; at a batch from which every resampling is folded."""
    recipe = public.read_recipe(path, overrides={"*.attention": "none", "training.batch": 128})
    costs = network_costs(recipe, recipe.data.dataset.describe())
    named = [(f"{player}.{block.name}", block) for player, network in costs.items() for block in network.blocks]
    return {name: (block.parameters, block.flops) for name, block in named}
