"""The shape of the code, as docs/scripts/measure_house.py measures it, and the words that it is written in."""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs" / "scripts"))
import measure_house as house  # noqa: E402

FORMER_WORDS = (
    "Wish",
    "wish_of",
    "Judge",
    "Judged",
    "Unjudged",
    "judged",
    "looking",
    "Remembered",
    "remembering",
    "normalising",
    "Lookout",
    "watching",
    "told",
    "Misfit",
    "misfit",
    "Maintained",
    "ExaminesGenerator",
    "blame",
    "promises",
    "liars",
    "somebody",
    "what becomes of",
)
"""The left-hand words of the redesign's table, and their kin: none stands in code, documentation or recipes."""
VAGUE_NAMES = ("each", "found", "look", "place", "told", "thing")
"""Identifiers that do not say what they hold."""
WHERE_FORMER_NAMES_STAND = ("ganblocks/deprecated.py", "CHANGELOG.md")
SMALL_INTERFACES = ("ganblocks/kinds/", "ganblocks/_version.py", "ganblocks/__main__.py")
"""Files that may have 15 lines or fewer."""


@cache
def modules() -> list[house.Module]:
    return house.modules()


def named(path: Path, line: int, name: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {name}"


def test_functions_are_short() -> None:
    lengths = [house.length(function) for module in modules() for function in module.functions]
    assert statistics.median(lengths) <= 6
    assert house.percentile(lengths, 0.9) <= 15
    long = [
        named(module.path, function.lineno, function.name)
        for module in modules()
        for function in module.functions
        if house.length(function) > 40
    ]
    assert not long
    (train,) = [
        function
        for module in modules()
        for function in module.functions
        if function.name == "train" and module.name.startswith("ganblocks.training")
    ]
    assert house.length(train) <= 20


def test_public_functions_have_docstrings() -> None:
    public = [(module, function) for module in modules() for function in module.public]
    without = [named(m.path, f.lineno, f.name) for m, f in public if ast.get_docstring(f) is None]
    assert len(without) <= 0.05 * len(public), "\n".join(without)


def test_public_functions_on_tensors_state_shapes() -> None:
    tensors = [(module, function) for module in modules() for function in module.public if house.takes_tensors(function)]
    without = [named(m.path, f.lineno, f.name) for m, f in tensors if not house.states_shapes(f)]
    assert len(without) <= 0.1 * len(tensors), "\n".join(without)


def test_no_import_circle_not_even_for_type_checkers() -> None:
    assert house.circles(modules()) == []


def test_a_small_file_stands_in_its_neighbour() -> None:
    small = [m.path.relative_to(ROOT).as_posix() for m in modules() if m.text.count("\n") <= house.SMALL]
    small = [path for path in small if not path.endswith("__init__.py") and not path.startswith(SMALL_INTERFACES)]
    assert not small


def test_a_public_name_means_one_thing() -> None:
    """No two files of the core define a public class of one name."""
    classes = defaultdict(list)
    for module in modules():
        if module.name.startswith("ganblocks."):
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    classes[node.name].append(module.name)
    assert {name: files for name, files in classes.items() if len(files) > 1} == {}


def texts() -> Iterator[tuple[str, str]]:
    """Path -> text of everything that is read: code, documentation and recipes."""
    for pattern in ("ganblocks/**/*", "plugins/**/*", "docs/**/*.md", "docs/scripts/*.py", "recipes/*", "*.md"):
        for path in ROOT.glob(pattern):
            relative = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".md", ".toml", ".txt", ".bib") and relative not in WHERE_FORMER_NAMES_STAND:
                yield relative, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("word", FORMER_WORDS)
def test_a_former_word_is_gone(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word)}\b")
    lines = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}" for path, text in texts() for match in pattern.finditer(text)
    ]
    assert not lines


def names_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything that a file defines: functions, classes, arguments and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, house.Function | ast.ClassDef):
            yield node.lineno, node.name


def test_identifiers_say_what_they_hold() -> None:
    vague = [
        named(module.path, line, name) for module in modules() for line, name in names_of(module.tree) if name in VAGUE_NAMES
    ]
    assert not vague


def test_the_measurement_sees_what_it_counts() -> None:
    """On a file that breaks every aim."""
    text = '''"""A file."""
from torch import Tensor

def bad(x: Tensor) -> Tensor:
    return x

def good(x: Tensor) -> Tensor:
    """Return x [B, C]."""
    # a comment

    return x
'''
    module = house.Module(ROOT / "ganblocks" / "bad.py", text)
    bad, good = module.public
    assert [house.length(bad), house.length(good)] == [2, 5]
    assert ast.get_docstring(bad) is None
    assert not house.states_shapes(bad)
    assert house.states_shapes(good)
    assert house.takes_tensors(good)
    assert module.code_lines == 5
    first = house.Module(ROOT / "ganblocks" / "a.py", "from ganblocks import b")
    second = house.Module(ROOT / "ganblocks" / "b.py", "if TYPE_CHECKING:\n    from ganblocks.a import x")
    assert house.circles([first, second]) == [["ganblocks.a", "ganblocks.b"]]
    assert house.circles([first]) == []
