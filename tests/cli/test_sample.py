"""ganblocks sample: which class a user means, where images go, and that each can be drawn again alone."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.cli import main
from tests.cli.commands import ROOT, ganblocks

Run = Callable[..., subprocess.CompletedProcess[str]]
RUN = ROOT / "tests" / "fixtures" / "run-of-format-1"


def paint(root: Path, names: list[str], each: int, size: int = 8) -> Path:
    for seed, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for place in range(each):
            pixels = np.random.default_rng([seed, place]).integers(0, 256, (size, size, 3), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{place}.png")
    return root


def trained(images: Path, classes: int, out: Path, seen: int = 32) -> Path:
    """A run of a moment, with a latent of 100 and a generator whose colours depend on the class."""
    data = {"use": "image_folder", "path": str(images), "size": 8, "classes": classes}
    more = {"generator.latent": 100, "training.images": seen, "update.generator.rate": 0.1, "update.discriminator.rate": 0.2}
    public.run(read_recipe(ROOT / "tests" / "fixtures" / "study.toml", {"data": data} | more), out, "cpu")
    return out


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pets")
    return trained(paint(root / "images", ["cats", "dogs"], 6), 2, root / "run")


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten folders named 1 to 10."""
    root = tmp_path_factory.mktemp("ten")
    return trained(paint(root / "images", [str(number) for number in range(1, 11)], 2), 10, root / "run", 128)


def command(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same command line as in a process of its own, without the seconds that importing takes."""
    out, err = io.StringIO(), io.StringIO()
    words = list(map(str, arguments))
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def sampled(*arguments: str | Path, cwd: Path, run: Run = command) -> tuple[str, str]:
    """What stdout and stderr said."""
    done = run("sample", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.strip()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_a_class_of_a_folder_is_drawn_by_its_name_into_its_own_folder(pets: Path, tmp_path: Path) -> None:
    """Any part again, bit for bit: the first 4 of 64, and 21 to 30 alone, at a latent whose rows are no multiple of 16."""
    out, said = sampled(pets, "--class", "dogs", "--to", "few/", "--n", "4", cwd=tmp_path, run=ganblocks)
    assert out == "few/dogs"
    assert said == "4 samples of class dogs (number 1), 0 to 3 of seed 0, a PNG each"
    sampled(pets, "--class", "dogs", "--to", "many/", "--n", "64", cwd=tmp_path, run=ganblocks)
    sampled(pets, "--class", "dog", "--to", "part", "--n", "10", "--start", "21", cwd=tmp_path, run=ganblocks)
    few, many, part = (files(tmp_path / name) for name in ("few", "many", "part"))
    assert sorted(few) == [f"dogs/{index:06}.png" for index in range(4)]
    assert sorted(part) == [f"dogs/{index:06}.png" for index in range(21, 31)]
    assert len(many) == len(set(many.values())) == 64
    for some in (few, part):
        assert some == {name: many[name] for name in some}
    assert pixels(tmp_path / "few" / "dogs" / "000000.png").shape == (8, 8, 3)
    made = public.load(pets).sample(64, "dogs")
    for index in (0, 3, 40):
        expected = ((made[index].permute(1, 2, 0) + 1) * 127.5).round().numpy().astype(np.uint8)
        assert np.array_equal(pixels(tmp_path / "many" / "dogs" / f"{index:06}.png"), expected)


def test_without_a_class_each_sample_goes_to_the_folder_of_its_own(pets: Path, tmp_path: Path) -> None:
    sampled(pets, "--to", "out", "--n", "20", "--seed", "3", cwd=tmp_path)
    out, said = sampled(pets, "--to", "out.npz", "--n", "20", "--seed", "3", cwd=tmp_path)
    assert (out, said) == ("out.npz", "20 samples, 0 to 19 of seed 3: images, labels, class_names, index and seed")
    with np.load(tmp_path / "out.npz") as kept:
        found = dict(kept)
    assert found["class_names"].tolist() == ["cats", "dogs"]
    assert set(found["labels"].tolist()) == {0, 1}
    assert found["images"].shape == (20, 8, 8, 3)
    assert len(files(tmp_path / "out")) == 20
    sampler = public.load(pets)
    assert sampler.class_counts == tuple(
        each["count"] for each in json.loads((pets / "provenance.json").read_text())["classes"]
    )
    for index, (image, label) in enumerate(zip(found["images"], found["labels"], strict=True)):
        assert np.array_equal(pixels(tmp_path / "out" / ("cats", "dogs")[label] / f"{index:06}.png"), image)
        alone = sampler.sample(1, int(label), seed=3, start=index)[0].permute(1, 2, 0)
        assert np.array_equal(((alone + 1) * 127.5).round().numpy().astype(np.uint8), image)


def test_another_sample_is_never_written_over(pets: Path, tmp_path: Path) -> None:
    sampled(pets, "--class", "0", "--to", "out", "--n", "3", cwd=tmp_path)
    before = files(tmp_path / "out")
    done = command("sample", pets, "--class", "0", "--to", "out", "--n", "3", "--seed", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "out/cats/000000.png: exists and is not this sample" in done.stderr
    assert files(tmp_path / "out") == before
    sampled(pets, "--class", "0", "--to", "out", "--n", "5", cwd=tmp_path)
    assert before.items() < files(tmp_path / "out").items()


def test_folders_that_are_numbers_are_meant_by_these(ten: Path, tmp_path: Path) -> None:
    """Text sorts 10 before 2; `check` prints the mapping."""
    done = command("check", ten.parent / "images", cwd=tmp_path)
    lines = [line.split() for line in done.stdout.splitlines()]
    for number, name in enumerate(sorted(map(str, range(1, 11)))):
        assert [str(number), name, "2"] in lines or [str(number), name, "1"] in lines
    for name, number in (("1", 0), ("10", 1), ("2", 2)):
        out, said = sampled(ten, "--class", name, "--to", "out", "--n", "2", cwd=tmp_path)
        assert out == f"out/{name}"
        assert f"of class {name} (number {number})" in said
        expected = public.load(ten).sample(2, number)
        for index in range(2):
            drawn = ((expected[index].permute(1, 2, 0) + 1) * 127.5).round().numpy().astype(np.uint8)
            assert np.array_equal(pixels(tmp_path / "out" / name / f"{index:06}.png"), drawn)
    assert len(set(files(tmp_path / "out").values())) == 6
    assert (
        "class 1 is the class of that name, number 0; for number 1 write --class 10"
        in sampled(ten, "--class", "1", "--to", "again", "--n", "1", cwd=tmp_path)[1]
    )
    done = command("sample", ten, "--class", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "class 0: no class has that name; there are classes 0 to 9 (0 1, 1 10, 2 2, 3 3" in done.stderr


def test_a_run_says_which_class_each_row_of_its_grids_is(tmp_path: Path) -> None:
    images = paint(tmp_path / "images", ["owls", "Bats"], 4)
    sets = [f'data={{use="image_folder", path="{images}", size=8, classes=2}}', "training.images=16", "evaluation.n=4"]
    options = [part for each in sets for part in ("--set", each)]
    done = command(
        "run", ROOT / "tests" / "fixtures" / "study.toml", "--out", tmp_path / "run", "--quiet", *options, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "its rows, from the top: Bats, owls" in done.stderr


def test_a_grid_says_that_it_is_enlarged_and_what_it_replaces(tmp_path: Path) -> None:
    grid = ("--n", "4", "--class", "7", "--out", "grid.png")
    out, said = sampled(RUN, *grid, cwd=tmp_path)
    assert out == "grid.png"
    words = "4 samples of class 7 (number 7), 0 to 3 of seed 0, 8×8 pixels, 2 per row, enlarged 8 times"
    assert said.splitlines()[-1] == f"{words} (--to FOLDER writes them in their own size)"
    assert Image.open(tmp_path / "grid.png").size == (128, 128)
    assert "replaced an existing file" in sampled(RUN, *grid, cwd=tmp_path)[1]
    sampled(RUN, "--n", "4", "--class", "7", "--to", "out", cwd=tmp_path)
    for index in range(4):
        tile = pixels(tmp_path / "grid.png")[64 * (index // 2) :, 64 * (index % 2) :][:64:8, :64:8]
        assert np.array_equal(tile, pixels(tmp_path / "out" / "7" / f"{index:06}.png"))


@pytest.mark.parametrize("text", ["²", "--5", "9" * 5000])
def test_what_only_looks_like_a_number_shows_no_traceback(text: str, tmp_path: Path) -> None:
    done = command("sample", RUN, f"--class={text}", "--out", "x.png", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "no class has that name; there are classes 0 to 9 (0 0, 1 1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("--out=.", "is a folder"),
        ("--out=", "is a folder"),
        ("--out=absent/x.png", "there is no folder"),
        ("--out=/proc/x.png", "cannot be written"),
        ("--out=bulk/", "is one PNG of all images: name it --out bulk.png; or --to bulk for a file of each"),
        ("--to=x.png", "for one picture of all give --out x.png"),
        ("--to=absent/x.npz", "there is no folder"),
        ("--to=/proc/x.npz", "cannot be written"),
        ("--to=/proc/x", "cannot be written"),
    ],
)
def test_where_nothing_can_go_is_said(place: str, words: str, tmp_path: Path) -> None:
    done = command("sample", RUN, "--n", "1", place, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_and_a_grid_are_not_had_at_once(tmp_path: Path) -> None:
    done = command("sample", RUN, "--out", "x.png", "--to", "y", cwd=tmp_path)
    assert done.returncode == 2
    assert "give one of them" in done.stderr
    (tmp_path / "y").write_text("mine")
    done = command("sample", RUN, "--to", "y", cwd=tmp_path)
    assert done.returncode == 2
    assert "--to y: is a file" in done.stderr
    assert (tmp_path / "y").read_text() == "mine"


def test_the_picture_of_the_first_class_is_not_that_of_all(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    for options, name in (((), "all"), (("--class", "0"), "0"), (("--class", "3"), "3")):
        out, _ = sampled(tmp_path / "run", "--n", "1", *options, cwd=tmp_path)
        assert Path(out).name == f"sample-{name}-seed0.png"
        assert Path(out).is_file()
