"""SECURITY.md names every limit of what may be hostile, with the number that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import ganblocks_data.decoding
import pytest

from ganblocks import limits
from ganblocks.options.reader import DEEPEST
from ganblocks.recipe import extends, file
from ganblocks.training import checkpoint, manifest, provenance, reading, run_folder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
MODULES = (limits, file, extends, checkpoint, manifest, provenance, reading, run_folder, ganblocks_data.decoding)
"""Those that read what somebody else may have written."""
MIB = 2**20
WORDS = {
    "limits.MOST_NUMBERS": "10¹⁰ parameters and buffers",
    "limits.MOST_MODULES": f"{limits.MOST_MODULES:,} modules",
    "file.LARGEST": f"{file.LARGEST // MIB} MiB",
    "file.DEEPEST": f"nested {file.DEEPEST} deep",
    "file.MOST_VALUES": f"{file.MOST_VALUES:,} values",
    "file.LONGEST_STRING": f"strings of {file.LONGEST_STRING:,} characters",
    "file.MOST_DOTS": f"{file.MOST_DOTS} dots in a line",
    "file.MOST_LINES": f"{file.MOST_LINES:,} lines, as many commas",
    "extends.LONGEST_NAME": f"plain name of {extends.LONGEST_NAME} bytes",
    "manifest.LARGEST": f"{manifest.LARGEST // MIB} MiB",
    "manifest.MOST_FILES": f"{manifest.MOST_FILES:,} files",
    "reading.LARGEST_JSON": f"{reading.LARGEST_JSON // MIB} MiB, nested {reading.DEEPEST_JSON} deep",
    "reading.DEEPEST_JSON": f"nested {reading.DEEPEST_JSON} deep",
    "reading.LARGEST_HEADER": f"header of {reading.LARGEST_HEADER // MIB} MiB",
    "reading.MOST_DIMENSIONS": f"{reading.MOST_DIMENSIONS} dimensions",
    "provenance.MOST_THREADS": f"{provenance.MOST_THREADS:,} threads",
    "run_folder.LARGEST_METRICS": f"{run_folder.LARGEST_METRICS // (1024 * MIB)} GiB",
    "decoding.MOST_PIXELS": f"{ganblocks_data.decoding.MOST_PIXELS:,} pixels",
}
"""Where a limit stands -> how the page says it."""


def constants(path: Path) -> set[str]:
    """The limits that a module sets, by name."""
    text = path.read_text(encoding="utf-8")
    return set(re.findall(r"^((?:MOST|LARGEST|LONGEST|DEEPEST)[A-Z_]*) =", text, re.MULTILINE))


def test_every_limit_is_known_here() -> None:
    paths = [Path(str(module.__file__)) for module in MODULES]
    assert {f"{path.stem}.{name}" for path in paths for name in constants(path)} == set(WORDS)


@pytest.mark.parametrize("place", WORDS)
def test_the_page_says_every_limit(place: str) -> None:
    assert WORDS[place] in PAGE


def test_the_page_says_what_is_not_in_a_constant_of_its_own() -> None:
    assert limits.MOST_NUMBERS == 10**10
    assert ganblocks_data.decoding.LARGE == 2**24
    assert f"its components {DEEPEST} deep" in PAGE
    assert all(form in PAGE for form in ("PNG", "JPEG", "WebP", "BMP"))
    assert limits.VARIABLE in PAGE


def test_no_module_that_reads_is_forgotten() -> None:
    known = {Path(str(module.__file__)) for module in MODULES}
    rooms = [ROOT / "ganblocks" / "recipe", ROOT / "ganblocks" / "training"]
    assert {path for room in rooms for path in room.glob("*.py") if constants(path)} <= known
