"""The core names no component of a built-in plugin: what it uses by default, plugins declare."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import ganblocks

ROOT = Path(__file__).parents[2]
OWN_WORDS = {"batch", "layer", "linear", "none"}
"""Names of components that mean something else in the core: a key, the name of a schedule, an empty socket."""


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no docstring."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def named(text: str, names: set[str]) -> list[int]:
    """The lines of a file that name a component."""
    return [line for line, value in strings(ast.parse(text)) if value.rpartition(":")[2] in names]


def test_the_core_names_no_component() -> None:
    names = {offer.name for offer in ganblocks.discover().offers() if offer.distribution == "ganblocks"} - OWN_WORDS
    assert {"kernel", "efficientnet_lite0", "sagan"} - names == {"sagan"}
    files = [path for path in (ROOT / "ganblocks").rglob("*.py") if "scaffold" not in path.parts]
    assert files
    assert not [f"{path}:{line}" for path in files for line in named(path.read_text(encoding="utf-8"), names)]


def test_a_name_is_seen() -> None:
    text = '"""Of kernel."""\nA = "kernel"\nB = create("metric", "metrics:kernel")\n"kernel"\n'
    assert named(text, {"kernel"}) == [2, 3]
