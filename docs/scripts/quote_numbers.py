"""Write the numbers of docs/data/readme-run.toml into the pages that quote them.

    python docs/scripts/quote_numbers.py

A page has a place for each text, between ``<!-- numbers: NAME -->`` and ``<!-- end of numbers -->``.
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
    """A table whose keys are attributes, as dotted paths in a text have it."""

    def __getattr__(self, name: str) -> Any:
        return dotted(self[name])


def dotted(value: Any) -> Any:
    return Dotted(value) if isinstance(value, Mapping) else value


def facts() -> Dotted:
    return Dotted(tomllib.loads(NUMBERS.read_text(encoding="utf-8")))


def table(facts: Dotted) -> str:
    """The scores as a table."""
    rows = [("score", *facts.evaluate.columns), *((f"`{called(name)}`", *row) for name, row in facts.evaluate.scores.items())]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def called(name: str) -> str:
    """What ``ganblocks evaluate`` calls a number."""
    return f"{name}[efficientnet-lite0]"


def texts(facts: Dotted) -> dict[str, str]:
    """Name of a place -> what stands there."""
    numbers = {name: dotted(value) for name, value in facts.items()} | {"table": table(facts)}
    return {name: "\n".join(paragraphs(text.strip().format(**numbers))) for name, text in facts["text"].items()}


def paragraphs(text: str) -> Iterator[str]:
    """Lines of at most WIDTH; a table's stay as they are, and points of a list follow each other without a gap."""
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
    """Page -> its text with the numbers of today."""
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
