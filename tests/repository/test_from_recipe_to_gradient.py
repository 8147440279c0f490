"""The page docs/explanation/from-recipe-to-gradient.md: every function that it names is called, in its order."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ganblocks.cli import main
from tests.cli.commands import ROOT, tiny

PAGE = ROOT / "docs" / "explanation" / "from-recipe-to-gradient.md"
STEP = re.compile(r"^\| (\d+) \| \[`([\w.]+)`\]\(\.\./\.\./(\S+)\) \|", re.MULTILINE)


def steps() -> list[tuple[int, str, str]]:
    """Number, file and function of every step of the page."""
    return [(int(number), file, function) for number, function, file in STEP.findall(PAGE.read_text(encoding="utf-8"))]


def calls(arguments: list[str], wanted: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """(file, function) of every call among ``wanted`` while the command runs."""
    made: list[tuple[str, str]] = []
    names = {file for file, _ in wanted}

    def record(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(ROOT) and (file := path.relative_to(ROOT).as_posix()) in names:
                call = (file, frame.f_code.co_qualname)
                if call in wanted:
                    made.append(call)

    sys.setprofile(record)
    try:
        assert main(arguments) == 0
    finally:
        sys.setprofile(None)
    return made


def test_the_steps_happen_in_the_order_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    listed = steps()
    assert [number for number, _, _ in listed] == list(range(1, len(listed) + 1))
    assert len(listed) >= 25
    more = {"training.images": "8", "*.attention": "self_attention"}
    run = ["run", "recipes/sagan.toml", "--out", str(tmp_path / "run"), "--quiet", "--no-score", *tiny(**more)]
    made = calls(run, {(file, function) for _, file, function in listed})
    position = 0
    for number, file, function in listed:
        later = made[position:]
        assert (file, function) in later, f"step {number}: {function} of {file} is not called after the step before it"
        position += later.index((file, function)) + 1
