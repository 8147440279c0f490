"""The page of statements and the markers of the tests say the same."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

from tests.cli.commands import ROOT

PAGE = ROOT / "docs" / "reference" / "statements.md"
COUNT = 104


def marked() -> dict[int, set[str]]:
    """Statement -> ``path::test`` of the tests that carry its marker, read without importing them."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in sorted([*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/test_*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.statement":
                    for number in map(ast.literal_eval, decorator.args):
                        found[number].add(f"{path.relative_to(ROOT)}::{node.name}")  # type: ignore[attr-defined]
    return found


def rows() -> dict[int, str]:
    """Statement -> the cell that says where it is held."""
    table = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|[^|]*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): cell.strip() for number, cell in table}


def test_every_statement_has_a_row() -> None:
    assert list(rows()) == list(range(1, COUNT + 1))


def test_the_page_names_the_tests_that_carry_the_marker() -> None:
    tests = marked()
    for number, cell in rows().items():
        assert cell.startswith("not yet: ") == (number not in tests), number
        assert set(re.findall(r"`([^`]+::[^`]+)`", cell)) == tests.get(number, set()), number


def test_all_are_held() -> None:
    later = {number for number, cell in rows().items() if cell.startswith("not yet: ")}
    assert not later
