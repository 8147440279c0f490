"""Nothing in the core or the plugins turns data into code: no pickle, no eval, no yaml, torch.load only of tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "ganblocks").rglob("*.py"), *(ROOT / "plugins").glob("*/ganblocks_*/**/*.py")])
FORBIDDEN_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "yaml", "subprocess"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
MAY_START_PROCESSES = {ROOT / "ganblocks" / "study" / "cells.py"}
"""A study runs each cell as a process of ganblocks' own."""


def complaints(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (name for name in names if name.split(".")[0] in FORBIDDEN_MODULES)
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            yield node.func.id
        if ast.unparse(node.func) == "torch.load":
            safe = [word for word in node.keywords if word.arg == "weights_only" and ast.unparse(word.value) == "True"]
            yield from () if safe else ("torch.load",)
        if any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords):
            yield "allow_pickle"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_data_never_becomes_code(path: Path) -> None:
    found = set(complaints(ast.parse(path.read_text(encoding="utf-8"))))
    assert found <= ({"subprocess"} if path in MAY_START_PROCESSES else set())


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from marshal import loads",
        "eval('1')",
        "exec('')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "import yaml",
    ],
)
def test_each_of_them_is_seen(line: str) -> None:
    assert list(complaints(ast.parse(line)))


def test_what_is_safe_is_not() -> None:
    assert not list(complaints(ast.parse("torch.load(path, weights_only=True); model.eval(); json.loads(text)")))
