"""Print results to stdout: tables, or one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 160
"""Width of tables if there is no terminal."""


_RESULTS: list[TextIO] = []
"""The stream for results while all other output goes to stderr; empty: sys.stdout."""


@contextmanager
def results_only() -> Iterator[None]:
    """Redirect all output but that of :func:`print_json` to stderr within the block."""
    _RESULTS.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _RESULTS.pop()


def print_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    stream = _RESULTS[-1] if _RESULTS else sys.stdout
    print(json.dumps(document, indent=2, ensure_ascii=False), file=stream, flush=True)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "", right: Sequence[int] = (), stderr: bool = False
) -> None:
    """Print a table; text is never interpreted as markup. ``right``: indices of columns of numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=Text(title) if title else None, title_justify="left", pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console(stderr).print(table)


def console(stderr: bool = False) -> Console:
    """Return a console of the terminal's width, or of PLAIN_WIDTH if there is no terminal."""
    from rich.console import Console

    terminal = Console(stderr=stderr, highlight=False)
    return terminal if terminal.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def printable(text: str) -> str:
    """Replace control characters, except line breaks."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
