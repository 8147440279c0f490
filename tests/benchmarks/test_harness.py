"""Timing in turn, spreads, tables, and the page that is written from files."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import NAMES, page
from benchmarks.results import FOLDER, Result, Row, as_json, table, write
from benchmarks.settings import Settings
from benchmarks.timing import Spread, alternate, ratio

MACHINE = {"cpu": "A processor", "cores": 2, "memory_gb": 8}
numbers = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20)


@given(numbers)
def test_quartiles_lie_around_the_median(values: list[float]) -> None:
    spread = Spread.of(values)
    assert min(values) <= spread.lower <= spread.median <= spread.upper <= max(values)
    assert spread.median == pytest.approx(statistics.median(values))
    assert spread.n == len(values)


@given(numbers, st.floats(0.1, 10))
def test_a_ratio_is_paired(values: list[float], factor: float) -> None:
    """A drift of the machine that meets both sides of a round leaves their ratio alone."""
    spread = ratio({"one": [factor * value for value in values], "other": values}, "one", "other")
    assert (spread.lower, spread.upper) == pytest.approx((factor, factor))


def test_functions_take_turns_and_no_one_is_always_first() -> None:
    calls: list[str] = []
    times = alternate({name: lambda name=name: calls.append(name) for name in "abc"}, rounds=2)
    assert calls == [*"abc", *"bca", *"cab"]
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 2, "b": 2, "c": 2}


def result(toy: bool = False) -> dict[str, object]:
    rows = [
        Row("theirs", value=Spread(2.0, 1.5, 1234.5, 3)),
        Row("ours", value=Spread(1.0, 1.0, 1.0, 1), ratio=Spread(0.5, 0.25, 0.75, 3), over="theirs", note="fp32"),
        Row("absent", skipped="is not installed"),
    ]
    return as_json("iteration", Settings(toy=toy), Result(rows, "A note.", {"peer": "1.2"}), MACHINE, {"torch": "2"})


def test_a_table_says_everything_that_the_file_says() -> None:
    lines = table(json.loads(json.dumps(result()))).splitlines()
    assert lines[2:5] == [
        "| theirs | 2 (1.50–1,234) s |  |  |",
        "| ours (fp32) | 1 s | 0.500 (0.250–0.750) | theirs |",
        "| absent | not measured: is not installed | | |",
    ]
    assert lines[-1] == "A note. A processor, 2 cores, 8 GB; 1 thread; torch 2, peer 1.2."
    assert "the numbers mean nothing" in table(json.loads(json.dumps(result(toy=True))))


def test_the_page_takes_its_tables_from_the_files(tmp_path: Path) -> None:
    write(tmp_path / "iteration.json", result())
    text = "before\n<!-- iteration -->\nold\n<!-- end of iteration -->\nafter\n<!-- loop -->\nkept\n<!-- end of loop -->\n"
    filled = page.page(text, tmp_path)
    assert "| theirs |" in filled
    assert "old" not in filled
    assert "kept" in filled
    assert filled.startswith("before\n")
    assert page.page(filled, tmp_path) == filled


def test_the_page_of_today_is_that_of_its_files() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.page(text) == text, "python -m benchmarks page"
    shown = {match["name"] for match in page.PLACE.finditer(text)}
    assert {path.stem for path in FOLDER.glob("*.json")} <= shown <= set(NAMES)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_no_toy_is_published(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))["toy"] is False


def test_settings_choose_the_rounds() -> None:
    usual, toy = Settings(), Settings(toy=True)
    assert (usual.rounds(7), toy.rounds(7), attrs.evolve(toy, repetitions=3).rounds(7)) == (7, 2, 3)
