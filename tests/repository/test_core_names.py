"""The core knows no built-in component by name: plugins declare what is a default, and help lists what is installed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganblocks

CORE = Path(ganblocks.__file__).parent
WORDS = {"none", "batch", "linear", "layer", "normal", "frozen"}
"""Names of components that are words with another meaning too: an empty socket, a batch, a schedule, a layer."""
KNOWN = {offer.name for offer in ganblocks.discover().offers() if offer.distribution == "ganblocks"} - WORDS


def names_in(text: str) -> Iterator[tuple[int, str]]:
    """Iterate over (line, name) of the strings in a file that are the name of a built-in component, or ``owner:name``."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.rpartition(":")[2] in KNOWN:
            yield node.lineno, node.value


@pytest.mark.parametrize("text", ['x = "hinge"', 'f(("losses:hinge",))', 'f"{1:kernel}" "kernel"'])
def test_a_name_would_be_found(text: str) -> None:
    assert list(names_in(text))


def test_no_name_of_a_built_in_component_stands_in_the_core() -> None:
    found = [
        f"{path.relative_to(CORE)}:{line}: {name}"
        for path in sorted(CORE.rglob("*.py"))
        if "scaffold" not in path.relative_to(CORE).parts
        for line, name in names_in(path.read_text(encoding="utf-8"))
    ]
    assert found == []
