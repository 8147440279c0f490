"""ganblocks sample --interpolate and --sweep: the files that a user gets, and what is said of each mistake."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganblocks as public
from ganblocks import read_recipe
from tests.cli.commands import ROOT, ganblocks, tiny
from tests.cli.test_sample import RUN, command, files, paint, pixels, sampled, trained

TILE = 64
"""Pixels of an 8-pixel image in a picture."""


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pets")
    return trained(paint(root / "images", ["cats", "dogs"], 6), 2, root / "run")


def tiles(path: Path) -> np.ndarray:
    """The images [rows, columns, 8, 8, C] of a grid."""
    whole = pixels(path)[::8, ::8]
    return whole.reshape(whole.shape[0] // 8, 8, whole.shape[1] // 8, 8, -1).swapaxes(1, 2)


def frames(path: Path) -> np.ndarray:
    """The pictures [frames, H, W, 3] of an animation that repeats forever, 60 ms each."""
    with Image.open(path) as animation:
        assert animation.info["loop"] == 0
        shown = []
        for number in range(animation.n_frames):
            animation.seek(number)
            shown.append(np.array(animation.convert("RGB")))
            assert animation.info["duration"] == 60
    return np.stack(shown)


def expected(run: Path, n: int, label: str | None, start: int = 0, truncation: float | None = None) -> np.ndarray:
    made = public.load(run).sample(n, label, 3, truncation, start=start)
    return ((made.permute(0, 2, 3, 1) + 1) * 127.5).round().numpy().astype(np.uint8)


def test_a_strip_has_a_row_from_each_sample_to_the_next(pets: Path, tmp_path: Path) -> None:
    words = ("--interpolate", "5", "--class", "dogs", "--n", "4", "--seed", "3", "--start", "14")
    out, said = sampled(pets, *words, "--out", "strip.png", cwd=tmp_path, run=ganblocks)
    assert out == "strip.png"
    assert said == (
        "a walk through 4 samples of class dogs (number 1), 14 to 17 of seed 3: 3 rows of 5 images, both ends included, "
        "8×8 pixels, enlarged 8 times (--to FOLDER writes them in their own size)"
    )
    strip, samples = tiles(tmp_path / "strip.png"), expected(pets, 4, "dogs", 14)
    assert strip.shape == (3, 5, 8, 8, 3)
    assert np.array_equal(strip[:, 0], samples[:-1])
    assert np.array_equal(strip[:, -1], samples[1:])
    steps = np.abs(np.diff(strip.astype(int), axis=1)).sum((2, 3, 4))
    assert (steps > 0).all(), "every image differs from the one before it"
    sampled(pets, *words, "--to", "each", cwd=tmp_path)
    single = files(tmp_path / "each")
    assert sorted(single) == [f"{number:06}.png" for number in range(3 * 4 + 1)]
    for number in range(13):
        row, column = (number // 4, number % 4) if number < 12 else (2, 4)
        assert np.array_equal(pixels(tmp_path / "each" / f"{number:06}.png"), strip[row, column])


def test_an_animation_goes_through_all_samples_and_back_to_the_first(pets: Path, tmp_path: Path) -> None:
    words = ("--interpolate", "5", "--class", "0", "--n", "3", "--seed", "3")
    _, said = sampled(pets, *words, "--out", "walk.webp", cwd=tmp_path)
    assert "a walk through 3 samples of class cats (number 0), 0 to 2 of seed 3: 12 frames of 60 ms, repeated forever" in said
    shown, samples = frames(tmp_path / "walk.webp"), expected(pets, 3, "cats")
    assert shown.shape == (12, TILE, TILE, 3)
    assert np.array_equal(shown[::4, ::8, ::8], samples)
    sampled(pets, *words, "--out", "walk.png", cwd=tmp_path)
    assert np.array_equal(shown[:8, ::8, ::8], tiles(tmp_path / "walk.png")[:, :4].reshape(8, 8, 8, 3))
    sampled(pets, *words, "--out", "walk.GIF", cwd=tmp_path)
    rough = frames(tmp_path / "walk.GIF")
    assert rough.shape == shown.shape
    assert np.abs(rough.astype(int) - shown).max() <= 4, "256 colours are enough for 64 pixels"


def test_from_class_to_class_the_samples_stay(pets: Path, tmp_path: Path) -> None:
    words = ("--interpolate", "5", "--class", "cats", "--to-class", "dogs", "--n", "3", "--seed", "3")
    out, said = sampled(pets, *words, "--out", "strip.png", cwd=tmp_path)
    assert "3 samples of class cats (number 0), 0 to 2 of seed 3, to class dogs (number 1): 3 rows of 5 images" in said
    strip = tiles(tmp_path / out)
    assert np.array_equal(strip[:, 0], expected(pets, 3, "cats"))
    assert np.array_equal(strip[:, -1], expected(pets, 3, "dogs"))
    assert (np.abs(np.diff(strip.astype(int), axis=1)).sum((2, 3, 4)) > 0).all()
    sampled(pets, *words, "--out", "there.webp", cwd=tmp_path)
    shown = frames(tmp_path / "there.webp")
    assert shown.shape == (8, 2 * TILE, 2 * TILE, 3)
    for number, column in enumerate((0, 1, 2, 3, 4, 3, 2, 1)):
        grid = shown[number, ::8, ::8].reshape(2, 8, 2, 8, 3).swapaxes(1, 2).reshape(4, 8, 8, 3)
        assert np.array_equal(grid[:3], strip[:, column])
    sampled(pets, *words, "--start", "2", "--to", "each", cwd=tmp_path)
    assert sorted(files(tmp_path / "each")) == [f"{i:06}/{k:06}.png" for i in (2, 3, 4) for k in range(5)]
    assert np.array_equal(pixels(tmp_path / "each" / "000002" / "000003.png"), strip[2, 3])


def test_samples_of_all_classes_are_walked_through_too(pets: Path, tmp_path: Path) -> None:
    """And in a picture of the run folder whose name says what it is."""
    run = tmp_path / "run"
    shutil.copytree(pets, run)
    for words, name in (
        ((), "walk-all-seed3.png"),
        (("--class", "dog", "--start", "2"), "walk-dogs-seed3-from2.png"),
        (("--class", "dogs", "--to-class", "cats"), "walk-dogs-to-cats-seed3.png"),
    ):
        out, _ = sampled(run, "--interpolate", "3", "--seed", "3", *words, cwd=tmp_path)
        assert Path(out).name == name
        assert tiles(run / name).shape[:2] == (4, 3)
    assert np.array_equal(tiles(run / "walk-all-seed3.png")[:, 0], expected(run, 4, None))
    assert "replaced an existing file" in sampled(run, "--interpolate", "3", "--seed", "3", cwd=tmp_path)[1]


def test_a_sweep_has_the_same_samples_in_a_row_for_each_truncation(pets: Path, tmp_path: Path) -> None:
    words = ("--class", "cats", "--n", "3", "--seed", "3", "--start", "1")
    out, said = sampled(pets, "--sweep", "0.3, 1,none", *words, "--out", "sweep.png", cwd=tmp_path)
    lines = said.splitlines()
    assert lines[0] == ("3 samples of class cats (number 0), 1 to 3 of seed 3, a row for each truncation, enlarged 8 times")
    assert lines[1] == "truncations (resample), from the top: 0.3, 1, none"
    rows = tiles(tmp_path / out)
    for row, truncation in zip(rows, (0.3, 1.0, None), strict=True):
        assert np.array_equal(row, expected(pets, 3, "cats", 1, truncation))
    _, said = sampled(pets, "--sweep", "0.3,none", *words, "--truncation-by", "std", "--out", "std.png", cwd=tmp_path)
    assert "truncations (std), from the top: 0.3, none" in said
    other = tiles(tmp_path / "std.png")
    assert not np.array_equal(other[0], rows[0])
    assert np.array_equal(other[1], rows[2])
    run = tmp_path / "run"
    shutil.copytree(pets, run)
    out, _ = sampled(run, "--sweep", "0.3,1", cwd=tmp_path)
    assert Path(out).name == "sweep-all-seed0.png"
    assert tiles(run / "sweep-all-seed0.png").shape[:2] == (2, 8)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("--interpolate 2", "Invalid value for '--interpolate'"),
        ("--interpolate 5 --n 1", "--n 1: a walk goes from sample to sample; give --n 2 or more"),
        ("--interpolate 5 --out x.jpg", "a walk is a strip, --out x.png, or an animation, --out x.webp (or .gif)"),
        ("--interpolate 5 --out x", "a walk is a strip, --out x.png"),
        ("--interpolate 5 --out absent/x.gif", "there is no folder absent"),
        ("--interpolate 3 --n 2 --out /proc/x.gif", "/proc/x.gif: cannot be written"),
        ("--interpolate 5 --out x.png --to y", "--out x.png is several images in one picture, and --to y is single images"),
        ("--interpolate 5 --to x.npz", "an npz holds samples, and no walk; name a folder, --to x"),
        ("--interpolate 5 --to x.gif", "for one picture of all give --out x.png"),
        ("--interpolate 5 --class 1 --to-class fish", "class fish: no class has that name; there are classes 0 to 9"),
        ("--interpolate 5 --class 1 --to-class 1", "--to-class 1: is the class to begin with, 1; name two classes"),
        ("--interpolate 5 --to-class 1", "--to-class 1: give the class to begin with, --class K"),
        ("--class 1 --to-class 2", "--to-class 2: a walk leads from class to class; add --interpolate 9"),
        ("--out x.gif", "an animation shows a walk: add --interpolate 24; or name a PNG of all images, --out x.png"),
        ("--sweep 0.5,1 --out x.webp", "an animation shows a walk: add --interpolate 24"),
        ("--sweep 0.5,1 --out x", "is one PNG of all images: name it --out x.png"),
        ("--sweep 0.5,a", "--sweep 0.5,a: 'a' is no number; write truncations with commas between them"),
        ("--sweep 0.5,", "'' is no number"),
        ("--sweep 0.5,0", "truncation must be above 0, got 0"),
        ("--sweep nan", "truncation must be above 0, got nan"),
        ("--sweep 0.5 --truncation 1", "--sweep 0.5 gives the truncations itself: leave --truncation out"),
        ("--sweep 0.5 --interpolate 5", "give --sweep or --interpolate"),
        (
            "--sweep 0.5 --to x",
            "--to x: a sweep is one picture; give --out FILE.png, or for single images --truncation T --to x",
        ),
        ("--sweep 0.5 --truncation-by clip", "unknown truncation convention 'clip'"),
    ],
)
def test_mistakes_are_one_sentence(words: str, rule: str, tmp_path: Path) -> None:
    done = command("sample", RUN, *words.split(), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert rule in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_classes_there_are_walks_between_samples_only(tmp_path: Path) -> None:
    data = {"use": "image_folder", "path": str(paint(tmp_path / "images", ["all"], 6) / "all"), "size": 8, "classes": 0}
    plain = {"generator.norm": "batch", "discriminator.conditioning": "none", "training.images": 16}
    run = tmp_path / "run"
    public.run(read_recipe(ROOT / "tests" / "fixtures" / "study.toml", {"data": data} | plain), run, "cpu")
    out, said = sampled(run, "--interpolate", "4", "--n", "3", "--out", "x.png", cwd=tmp_path)
    assert tiles(tmp_path / out).shape[:2] == (2, 4)
    assert "a walk through 3 samples, 0 to 2 of seed 0" in said
    done = command("sample", run, "--interpolate", "4", "--class", "0", "--to-class", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "this generator has no classes; leave the class out" in done.stderr


NORM = '''
import ganblocks
import torch
from attrs import frozen


class Shift(torch.nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.table = torch.nn.Embedding(classes, channels)

    def forward(self, x, label):
        return x + self.table(label)[:, :, None, None]


@frozen(kw_only=True)
class Shifting:
    """Shift by class.

    Source: own.
    """

    def build(self, site):
        return Shift(site.channels, site.condition.count)


@ganblocks.hookimpl
def ganblocks_norms():
    return {"shifting": Shifting}
'''


def test_a_strangers_norm_that_takes_no_mixture_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(NORM)
    words = ("run", ROOT / "recipes" / "sagan.toml", "--out", "run", "--quiet", "--no-score")
    sets = tiny(**{"training.images": "16", "generator.norm": '"shifting"'})
    done = command("-p", "./mine.py", *words, *sets, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for more in (("--n", "16"), ("--class", "1", "--to-class", "2")):
        done = command("-p", "./mine.py", "sample", "run", "--interpolate", "3", *more, "--out", "x.png", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "generator.block1.norm1.table (Embedding) reads the class and takes no mixture of classes" in done.stderr
        assert "walk within one, --class K without --to-class" in done.stderr
        assert not (tmp_path / "x.png").exists()
    done = command("-p", "./mine.py", "sample", "run", "--interpolate", "3", "--class", "1", "--out", "x.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("system", ["biggan", "acgan", "sngan-projection"])
def test_every_shipped_generator_with_classes_has_walks_between_them(system: str, tmp_path: Path) -> None:
    recipe = ROOT / "recipes" / f"{system}.toml"
    more = {"training.images": 16, "training.batch": 8, "generator.width": 8, "discriminator.width": 8}
    public.run(read_recipe(recipe, more), tmp_path / "run", "cpu")
    words = ("--interpolate", "3", "--class", "0", "--to-class", "1", "--n", "2", "--to", "each")
    sampled(tmp_path / "run", *words, cwd=tmp_path)
    images = files(tmp_path / "each")
    assert len(images) == 6
    for sample in (0, 1):
        row = [pixels(tmp_path / "each" / f"{sample:06}" / f"{k:06}.png") for k in range(3)]
        made = public.load(tmp_path / "run").sample(1, 1, start=sample)[0].permute(1, 2, 0)
        assert np.array_equal(row[-1], ((made + 1) * 127.5).round().numpy().astype(np.uint8))
