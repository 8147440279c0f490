"""The papers of a component, and their BibTeX.

A component names its papers in its docstring, by arXiv number or DOI. Their entries are in a file ``references.bib`` in the
component's package (or beside a plugin that is a single file), or in ganblocks' own file.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from attrs import frozen

NAME = "references.bib"
_ARXIV = re.compile(r"arXiv[: ]\s*(\d{4}\.\d{4,5})")
_DOI = re.compile(r"\b(10\.\d{4,9}/[^\s;,]*[^\s;,.)])")


@frozen
class Reference:
    """One BibTeX entry."""

    key: str
    identifiers: frozenset[str]
    """arXiv numbers and DOIs in lower case."""
    text: str


def papers(component: type) -> tuple[str, ...]:
    """Return the arXiv numbers and DOIs in a component's docstring, in order and without repetition."""
    text = inspect.getdoc(component) or ""
    matches = [(match.start(), match.group(1)) for pattern in (_ARXIV, _DOI) for match in pattern.finditer(text)]
    return tuple(dict.fromkeys(paper for _, paper in sorted(matches)))


def references(component: type) -> tuple[list[Reference], list[str]]:
    """Return the entries of a component's papers, and the papers without an entry."""
    known = [*_beside(component.__module__), *_beside("ganblocks")]
    entries = {identifier: entry for entry in reversed(known) for identifier in entry.identifiers}
    named = {paper: entries.get(paper.lower()) for paper in papers(component)}
    return [entry for entry in named.values() if entry], [paper for paper, entry in named.items() if not entry]


def parse(text: str) -> list[Reference]:
    """Return the entries of a BibTeX file: each from ``@type{key,`` to the brace that closes it."""
    return [_entry(text[match.start() : _closing(text, match.end())]) for match in re.finditer(r"@\w+\{[^,\s]+,", text)]


def ours() -> Reference:
    """Return the entry of ganblocks itself."""
    return next(entry for entry in _beside("ganblocks") if entry.key == "ganblocks")


def unique(entries: Iterable[Reference]) -> list[Reference]:
    """Return each entry once, sorted by key."""
    return [entry for _, entry in sorted({entry.key: entry for entry in entries}.items())]


def _entry(text: str) -> Reference:
    (key,) = re.findall(r"^@\w+\{([^,\s]+),", text)
    numbers = re.findall(r"\b(?:eprint|doi)\s*=\s*[{\"]([^}\"]+)[}\"]", text, re.IGNORECASE)
    return Reference(key, frozenset(number.lower() for number in numbers), text)


def _closing(text: str, start: int) -> int:
    """Return the end of the entry whose first brace is before ``start``; the end of the text if it is not closed."""
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return position + 1
    return len(text)


def _beside(module: str) -> list[Reference]:
    """Return the entries of a module's package, or of the folder of a single module; empty if there is no file."""
    package = sys.modules.get(module.partition(".")[0])
    file = getattr(package, "__file__", None)
    folders = getattr(package, "__path__", [Path(file).parent] if file else [])
    return [entry for folder in folders for entry in _read(Path(folder) / NAME)]


@cache
def _read(path: Path) -> list[Reference]:
    return parse(path.read_text(encoding="utf-8")) if path.is_file() else []
