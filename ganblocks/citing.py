"""Which papers a component comes from, and their BibTeX.

A component names its papers in the paragraph ``Source:`` of its docstring, by arXiv number or DOI. The entries stand in a file
``references.bib`` in the component's package (beside a plugin that is a single file), or in ganblocks' own file.
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
    """arXiv numbers and DOIs, lower case."""
    text: str


def papers(component: type) -> tuple[str, ...]:
    """arXiv numbers and DOIs that a component's docstring names, in its order, each once."""
    text = inspect.getdoc(component) or ""
    found = [(match.start(), match.group(1)) for pattern in (_ARXIV, _DOI) for match in pattern.finditer(text)]
    return tuple(dict.fromkeys(paper for _, paper in sorted(found)))


def references(component: type) -> tuple[list[Reference], list[str]]:
    """The entries of a component's papers, and the papers that have none."""
    known = [*_beside(component.__module__), *_beside("ganblocks")]
    found: list[Reference] = []
    absent: list[str] = []
    for paper in papers(component):
        entry = next((each for each in known if paper.lower() in each.identifiers), None)
        found += [entry] if entry else []
        absent += [] if entry else [paper]
    return found, absent


def parse(text: str) -> list[Reference]:
    """The entries of a BibTeX file: whatever stands between ``@type{key,`` and the brace that closes it."""
    return [_entry(text[match.start() : _closing(text, match.end())]) for match in re.finditer(r"@\w+\{[^,\s]+,", text)]


def ours() -> Reference:
    """How to cite ganblocks itself."""
    return next(each for each in _beside("ganblocks") if each.key == "ganblocks")


def unique(entries: Iterable[Reference]) -> list[Reference]:
    """Each entry once, by key, sorted."""
    return [each for _, each in sorted({each.key: each for each in entries}.items())]


def _entry(text: str) -> Reference:
    (key,) = re.findall(r"^@\w+\{([^,\s]+),", text)
    numbers = re.findall(r"\b(?:eprint|doi)\s*=\s*[{\"]([^}\"]+)[}\"]", text, re.IGNORECASE)
    return Reference(key, frozenset(number.lower() for number in numbers), text)


def _closing(text: str, start: int) -> int:
    """Where the entry ends whose first brace stands before ``start``; the end of the text where it is not closed."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place + 1
    return len(text)


def _beside(module: str) -> list[Reference]:
    """The entries beside a module's package, or beside a module that is in none; empty where there is no file."""
    package = sys.modules.get(module.partition(".")[0])
    file = getattr(package, "__file__", None)
    folders = getattr(package, "__path__", [Path(file).parent] if file else [])
    return [entry for folder in folders for entry in _read(Path(folder) / NAME)]


@cache
def _read(path: Path) -> list[Reference]:
    return parse(path.read_text(encoding="utf-8")) if path.is_file() else []
