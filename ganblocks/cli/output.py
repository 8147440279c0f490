"""Results on stdout: a table for a person, one JSON document for a program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 160
"""Columns where there is no terminal."""


_RESULTS: list[TextIO] = []
"""The stream for results while everything else goes to stderr; empty: sys.stdout is."""


@contextmanager
def results_only() -> Iterator[None]:
    """Within the block stdout gets what :func:`print_json` writes, and nothing else: what plugins print goes to stderr."""
    _RESULTS.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _RESULTS.pop()


def print_json(document: Any) -> None:
    stream = _RESULTS[-1] if _RESULTS else sys.stdout
    print(json.dumps(document, indent=2, ensure_ascii=False), file=stream, flush=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", right: Sequence[int] = (), stderr: bool = False
) -> None:
    """A table; text is printed as it is, never read as markup. ``right``: columns of numbers."""
    table = Table(box=SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console(stderr).print(table)


def console(stderr: bool = False) -> Console:
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def printable(text: str) -> str:
    """Without control characters, which could drive the terminal; line breaks stay."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
