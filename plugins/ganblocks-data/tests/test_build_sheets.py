from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType

import ganblocks_data
import numpy as np
import pytest
from ganblocks_data import digits, emoji
from ganblocks_data.sheet import cut, decode_sheet
from PIL import Image

PLUGIN = Path(__file__).parents[1]
PACKAGE = Path(ganblocks_data.__file__).parent


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(PLUGIN))
    return importlib.import_module("build_emoji_sheet")


@pytest.fixture
def digits_script(script: ModuleType) -> ModuleType:
    return importlib.import_module("build_digits_sheet")


def test_sums_stand_in_code_notice_and_on_disk(script: ModuleType, digits_script: ModuleType) -> None:
    notice = (PLUGIN.parents[1] / "NOTICE").read_text()
    for name, known in (
        (emoji.SHEET, emoji.SHEET_SHA256),
        (emoji.INDEX, emoji.INDEX_SHA256),
        (digits.SHEET, digits.SHEET_SHA256),
        (digits.INDEX, digits.INDEX_SHA256),
    ):
        assert hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest() == known
        assert f"{name}\n          SHA-256 {known}\n" in notice
    assert script.PACKAGE_SHA256 in notice
    assert digits_script.SOURCE_SHA256 in notice
    assert hashlib.sha256(decode_sheet((PACKAGE / emoji.SHEET).read_bytes()).tobytes()).hexdigest() == script.PIXELS_SHA256


def test_committed_index_agrees_with_the_committed_sheet(script: ModuleType) -> None:
    sheet = decode_sheet((PACKAGE / emoji.SHEET).read_bytes())
    lines = [line.split("\t") for line in (PACKAGE / emoji.INDEX).read_text().splitlines()[1:]]
    codes = [line[1] for line in lines]
    assert len(codes) == len(set(codes)) == 1906
    assert [codes[first] for first in script.drawings(sheet, 1906)] == [line[2] for line in lines]
    assert (cut(sheet, emoji.TILE, script.COLUMNS**2)[1906:] == 255).all(), "the rest of the last row is white"


def entry(order: int, category: str = "Flags", google: bool = True, **more: object) -> dict[str, object]:
    facts = {"unified": f"1F{order:03}", "image": f"{order}.png", "short_name": f"name{order}", "category": category}
    return facts | {"sort_order": order, "has_img_google": google} | more


def glyph(seed: int, mirrored: bool = False) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 4), np.uint8)
    pixels[0, :, 3] = 0
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels).save(stream, "PNG")
    return stream.getvalue()


def pack(version: str = "16.0.0") -> bytes:
    """A miniature of the npm package."""
    entries = [
        entry(4, "Objects"),
        entry(1, "Smileys & Emotion", skin_variations={"1F3FB": {"image": "tone.png", "has_img_google": True}}),
        entry(2, "Component"),
        entry(3, google=False),
        entry(5, "Objects"),
        entry(6, "Objects"),
    ]
    files = {"package.json": json.dumps({"version": version}).encode(), "emoji.json": json.dumps(entries).encode()}
    files |= {f"img/google/64/{order}.png": glyph(seed) for order, seed in ((1, 1), (4, 4), (5, 4))}
    files["img/google/64/6.png"] = glyph(4, mirrored=True)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as package:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            package.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def test_emoji_script_chooses_composites_and_repeats_itself(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "package.tgz").write_bytes(pack())
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert script.main([str(tmp_path / "package.tgz"), "--out", str(tmp_path / name)]) == 1, "not the committed package"
        written.append([(tmp_path / name / file).read_bytes() for file in (emoji.SHEET, emoji.INDEX)])
    assert written[0] == written[1]
    differ = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert differ == [script.PACKAGE, "pixels", emoji.SHEET, emoji.INDEX] * 2
    assert written[0][1].decode().splitlines()[1:] == [
        "0\t1F001\t1F001\tname1",
        "6\t1F004\t1F004\tname4",
        "6\t1F005\t1F004\tname5",
        "6\t1F006\t1F004\tname6",
    ]
    tiles = cut(decode_sheet(written[0][0]), 64, 4)
    assert (tiles[:, :, 0] == 255).all(), "transparent rows are white"
    assert np.array_equal(tiles[3], tiles[1][:, :, ::-1])


def test_emoji_script_refuses_another_version(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "package.tgz").write_bytes(pack("15.1.2"))
    with pytest.raises(SystemExit, match=r"version 15\.1\.2"):
        script.main([str(tmp_path / "package.tgz"), "--out", str(tmp_path)])
    assert not (tmp_path / emoji.SHEET).exists()


def test_digits_script_inverts_to_its_source(digits_script: ModuleType, tmp_path: Path) -> None:
    labels = [int(label) for label in (PACKAGE / digits.INDEX).read_text().strip()]
    tiles = cut(decode_sheet((PACKAGE / digits.SHEET).read_bytes()), digits.TILE, len(labels))
    levels = -(-tiles.reshape(len(labels), 64).astype(int) * 16 // 255)
    source = "".join(
        ",".join(f"{level:.1f}" for level in (*row, label)) + "\n" for row, label in zip(levels, labels, strict=True)
    )
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(source.encode()))
    digits_script.main([str(tmp_path / "digits.csv.gz"), "--out", str(tmp_path)])
    assert (tmp_path / digits.INDEX).read_bytes() == (PACKAGE / digits.INDEX).read_bytes()
    rebuilt, committed = (decode_sheet((folder / digits.SHEET).read_bytes()) for folder in (tmp_path, PACKAGE))
    assert np.array_equal(rebuilt, committed)


def test_hooks_name_components() -> None:
    for target in ganblocks_data.ganblocks_datasets().values():
        module, _, name = target.partition(":")
        component = getattr(importlib.import_module(module), name)
        assert callable(component.describe)
        assert callable(component.open)
