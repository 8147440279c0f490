"""ganblocks check of data: every bad file at once, what is changed counted, and nothing looked at unasked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
    assert "the data was not looked at: add --data" in done.stdout
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
    fatal = [found["place"] for found in json.loads(done.stdout)[0]["data"] if found["fatal"]]
    assert {Path(place).name for place in fatal} == {"a.gif", "b\x1b[31m.png"}


def test_a_data_set_of_its_own_is_opened() -> None:
    done = ganblocks("check", "recipes/sagan.toml", *tiny(), "--data", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == []
