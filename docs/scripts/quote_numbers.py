"""Write the numbers of docs/data/readme-run.toml into the pages that quote them.

    python docs/scripts/quote_numbers.py

A text replaces what a page has between ``<!-- numbers: NAME -->`` and ``<!-- end of numbers -->``.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NUMBERS = ROOT / "docs" / "data" / "readme-run.toml"
PAGES = ("README.md", "docs/tutorial/run-sagan.md", "docs/explanation/scores.md")
COMMAND = "python docs/scripts/quote_numbers.py"
PLACE = re.compile(r"(<!-- numbers: (\w+) -->\n).*?(<!-- end of numbers -->)", re.DOTALL)
WIDTH = 124


class Dotted(dict[str, Any]):
    """A table whose keys are also attributes, for dotted paths in format strings."""

    def __getattr__(self, name: str) -> Any:
        return dotted(self[name])


def dotted(value: Any) -> Any:
    return Dotted(value) if isinstance(value, Mapping) else value


def facts() -> Dotted:
    return Dotted(tomllib.loads(NUMBERS.read_text(encoding="utf-8")))


def table(facts: Dotted) -> str:
    """Return the scores as a Markdown table."""
    rows = [("score", *facts.evaluate.columns), *((f"`{called(name)}`", *row) for name, row in facts.evaluate.scores.items())]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def called(name: str) -> str:
    """Return the name of a score in ``ganblocks evaluate``."""
    return f"{name}[efficientnet-lite0]"


def texts(facts: Dotted) -> dict[str, str]:
    """Return name of a block -> its text."""
    numbers = {name: dotted(value) for name, value in facts.items()} | {"table": table(facts)}
    return {name: "\n".join(paragraphs(text.strip().format(**numbers))) for name, text in facts["text"].items()}


def paragraphs(text: str) -> Iterator[str]:
    """Yield lines of at most WIDTH. Tables are not wrapped, and list items follow each other without blank lines."""
    pieces = text.split("\n\n")
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        point = piece.startswith("* ")
        folded = textwrap.wrap(
            piece, WIDTH, subsequent_indent="  " if point else "", break_long_words=False, break_on_hyphens=False
        )
        yield piece if piece.startswith("|") else re.sub(r"(\d)%", r"\1 %", "\n".join(folded))
        if following and not (point and following.startswith("* ")):
            yield ""


def pages() -> dict[str, str]:
    """Return page -> its text with the current numbers."""
    known = texts(facts())
    return {page: PLACE.sub(lambda place: filled(place, known), read(page)) for page in PAGES}


def filled(place: re.Match[str], known: Mapping[str, str]) -> str:
    return f"{place[1]}{known[place[2]]}\n{place[3]}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


if __name__ == "__main__":
    for page, text in pages().items():
        if read(page) != text:
            (ROOT / page).write_text(text, encoding="utf-8")
            print(page)
