"""README, the tutorial and the page on scores tell one truth about the same run, and the command that they name prints it."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import ROOT, ganblocks, tiny

SCRIPT = runpy.run_path(str(ROOT / "docs" / "scripts" / "quote_numbers.py"))
PAGES: list[str] = list(SCRIPT["PAGES"])
PLACE: re.Pattern[str] = SCRIPT["PLACE"]
COMMAND: str = SCRIPT["COMMAND"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_quotes_the_numbers_of_today(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert SCRIPT["pages"]()[page] == text, f"{page} is not current: {COMMAND}"
    assert "numbers:" in text


def test_every_text_has_one_place() -> None:
    places = [found[2] for page in PAGES for found in PLACE.finditer((ROOT / page).read_text(encoding="utf-8"))]
    assert sorted(places) == sorted(SCRIPT["facts"]()["text"])


@pytest.mark.parametrize("page", PAGES)
def test_no_number_of_the_run_stands_anywhere_else(page: str) -> None:
    """Where it would not follow the file: each number as the pages write it, if it has three digits or more."""
    outside = PLACE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    quoted = {number for text in SCRIPT["texts"](SCRIPT["facts"]()).values() for number in numbers(text)}
    assert len(quoted) > 15
    assert not quoted & numbers(outside), f"belongs between marks, from docs/data/readme-run.toml: {COMMAND}"


def numbers(text: str) -> set[str]:
    """Numbers with a point and three digits or more, such as 6.33 and 0.273; no shares in per cent."""
    return {found for found in re.findall(r"(?<![\w.])\d+\.\d+(?!\w|\.\d| %)", text) if len(found.replace(".", "")) >= 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("quoted")
    done = ganblocks("run", ROOT / "recipes" / "sagan.toml", "--out", "runs/sagan", "--no-score", *tiny(), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def leading(found: dict[str, Any]) -> list[str]:
    return [score["name"] for score in found["scores"] if score["better"]]


def test_the_command_of_the_page_prints_the_rows_of_the_page(run: Path) -> None:
    page = (ROOT / "docs" / "explanation" / "scores.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ganblocks evaluate .*$", page, re.MULTILINE)
    rows = re.findall(r"^\| `(\S+)` \|.*\| (\w+) \|$", page, re.MULTILINE)
    done = ganblocks(*shlex.split(line)[1:], "--n", "40", "--json", cwd=run)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(score["name"], score["better"]) for score in found["scores"] if score["better"]] == rows
    assert f"--n {SCRIPT['facts']()['evaluate']['n']} " in line
    plain = ganblocks("evaluate", "runs/sagan", "--json", cwd=run)
    assert leading(json.loads(plain.stdout)) == ["kd[efficientnet-lite0]"], "as the page says of the recipe's own"
