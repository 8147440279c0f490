"""The tables of docs/explanation/performance.md, written from docs/data/performance/*.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.results import FOLDER, table

PAGE = FOLDER.parents[1] / "explanation" / "performance.md"
PLACE = re.compile(r"(?s)<!-- (?P<name>[\w-]+) -->\n.*?<!-- end of (?P=name) -->")


def page(text: str, folder: Path = FOLDER) -> str:
    """Return a page's text with the table of every result in the folder between that result's markers."""
    return PLACE.sub(lambda match: _filled(match["name"], folder) or match[0], text)


def write_page() -> None:
    """Write the page from the results."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _filled(name: str, folder: Path) -> str:
    """Return the part of the page between two markers, with them; empty if there is no result."""
    path = folder / f"{name}.json"
    if not path.exists():
        return ""
    return f"<!-- {name} -->\n\n{table(json.loads(path.read_text(encoding='utf-8')))}\n\n<!-- end of {name} -->"
