"""ganblocks check of data: every bad file at once, what is changed counted, and nothing looked at unasked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ganblocks_data.image_folder import ImageFolder
from PIL import Image

from ganblocks.cli.data_report import show_classes
from ganblocks.values import ClassCount
from tests.cli.commands import ganblocks, tiny


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
        for place in range(12):
            pixels = np.random.default_rng(place).integers(0, 256, (16, 16), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{name}{place}.png")
            with (root / name / f"{name}{place}.png").open("ab") as file:
                file.write(name.encode())  # no two files are the same
    return root


def data(photos: Path) -> list[str]:
    return ["--set", f"data={{ use = 'image_folder', path = '{photos}', size = 8, classes = 2, channels = 1 }}"]


def small() -> list[str]:
    options = tiny()
    place = options.index('data.use="digits"') - 1
    return options[:place] + options[place + 2 :]


def test_the_data_is_looked_at_only_when_asked(photos: Path) -> None:
    (photos / "cats" / "torn.png").write_bytes(b"")
    done = ganblocks("check", "recipes/sagan.toml", *small(), *data(photos))
    assert done.returncode == 0, done.stderr
    assert "the images were not checked: add --data" in done.stdout
    done = ganblocks("check", "recipes/sagan.toml", *small(), *data(photos), "--data")
    assert done.returncode == 3
    assert "torn.png cannot be read as an image: it is empty" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_alone(photos: Path) -> None:
    done = ganblocks("check", photos)
    assert done.returncode == 0, done.stderr
    assert "grey to RGB" in done.stdout
    assert "24" in done.stdout
    (photos / "cats" / "a.gif").write_bytes(b"GIF89a")
    (photos / "dogs" / "b\x1b[31m.png").write_bytes(b"")
    done = ganblocks("check", photos, "--json")
    assert done.returncode == 3
    assert "\x1b" not in done.stderr
    fatal = [found["path"] for found in json.loads(done.stdout)[0]["data"] if found["fatal"]]
    assert {Path(place).name for place in fatal} == {"a.gif", "b\x1b[31m.png"}


def test_a_folder_is_checked_for_the_size_of_training(photos: Path) -> None:
    assert "size = 64" in ganblocks("check", photos).stdout
    assert "--size" in ganblocks("check", photos).stdout
    done = ganblocks("check", photos, "--size", "16")
    assert "size = 16" in done.stdout
    assert "enlarged" not in done.stdout
    wrong = ganblocks("check", photos, "--size", "x")
    assert wrong.returncode == 2
    assert "size: must be" in wrong.stderr
    assert ganblocks("check", "recipes/sagan.toml", "--size", "16").returncode == 2


def test_a_run_folder_is_no_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    done = ganblocks("check", tmp_path)
    assert done.returncode == 2
    assert f"ganblocks evaluate {tmp_path}" in done.stderr


def test_a_data_set_of_its_own_is_opened() -> None:
    done = ganblocks("check", "recipes/sagan.toml", *tiny(), "--data", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == []


def test_number_name_and_count_of_each_class_are_printed(photos: Path) -> None:
    """Of a recipe's data and of a folder alike; the count is of what would be trained on."""
    (photos / "dogs").rename(photos / "Dogs")
    for name in ("10", "9"):
        (photos / name).mkdir()
        Image.new("RGB", (16, 16), (int(name), 0, 0)).save(photos / name / "only.png")
    recipe = ["recipes/sagan.toml", *small(), *(part.replace("classes = 2", "classes = 4") for part in data(photos)), "--data"]
    for arguments in ([photos], recipe):
        done = ganblocks("check", *arguments)
        assert done.returncode == 0, done.stderr
        rows = [line.split() for line in done.stdout.splitlines() if line.split()[:1] in (["0"], ["1"], ["2"], ["3"])]
        assert [row[:2] for row in rows] == [["0", "10"], ["1", "9"], ["2", "Dogs"], ["3", "cats"]]
        assert [row[2] for row in rows[:2]] == ["1", "1"]
    document = json.loads(ganblocks("check", *recipe, "--json").stdout)
    dataset = ImageFolder(path=str(photos), size=8, classes=4, channels=1)
    images = dataset.open()
    trained = images.labels[images.split["train"]].bincount().tolist()
    names = ("10", "9", "Dogs", "cats")
    expected = [{"number": k, "name": names[k], "count": trained[k]} for k in range(4)]
    assert document["class_counts"] == expected
    assert json.loads(ganblocks("check", photos, "--json").stdout)[0]["class_counts"] == expected
    assert [int(row[2]) for row in rows] == trained


def test_of_many_classes_some_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    show_classes([ClassCount(f"class{number}", number + 1) for number in range(1000)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 50
    assert any(line.split() == ["999", "class999", "1,000"] for line in lines)
    assert any("960 more" in line for line in lines)
    show_classes([ClassCount("a", 0), ClassCount("b", None)])
    assert "warning: no training images of 0 a" in capsys.readouterr().out
