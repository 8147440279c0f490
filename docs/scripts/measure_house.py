"""Measure the shape of the code: lengths of functions and files, docstrings, shapes, import circles, lines.

    python docs/scripts/measure_house.py [--list] [--imports]

``--list`` also prints what is outside the aims, by file and line. ``--imports`` prints only the table of imports of
docs/explanation/design.md. Code lines are those without docstrings, comments and blank
lines; commit 9430970, before the redesign, is the reference. ``tests/repository/test_house.py`` holds the aims.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from attrs import field, frozen

ROOT = Path(__file__).parents[2]
LINES_BEFORE = 15_773
"""Code lines of the core and the plugins at commit 9430970."""
SMALL = 15
"""Lines of a file that is merged into its neighbour, unless the interface of a kind is that small."""
SHAPE = re.compile(r"\[(?:[A-Z]\w*|[nk]|\d+)(?:[,·][^\]]*)?\]|0-dim|any shape|of (?:the )?(?:same|equal) shape")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Module:
    """One file of the core or of a plugin."""

    path: Path
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        parts = parts[2:] if parts[0] == "plugins" else parts
        return ".".join(parts).removesuffix(".__init__")

    @cached_property
    def functions(self) -> list[Function]:
        """Every function and method."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def public(self) -> list[Function]:
        """Public functions and methods: neither their name nor that of their class begins with an underscore."""
        return list(_public(self.tree.body))

    @cached_property
    def code_lines(self) -> int:
        """Lines that hold code."""
        skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        lines = {line for token in tokens if token.type not in skipped for line in range(token.start[0], token.end[0] + 1)}
        return len(lines - set(_docstring_lines(self.tree)))

    def imports(self, names: set[str]) -> set[str]:
        """The modules among ``names`` that this one imports, under ``TYPE_CHECKING`` and inside functions too."""
        targets = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                targets |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= (inside & names) | ({node.module} if inside - names else set())
        return (targets & names) - {self.name}


def _public(body: list[ast.stmt]) -> Iterator[Function]:
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node.body)


def _docstring_lines(tree: ast.Module) -> Iterator[int]:
    """Lines of strings that stand as statements: docstrings, and the descriptions below constants and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from range(node.lineno, (node.end_lineno or node.lineno) + 1)


def modules(root: Path = ROOT) -> list[Module]:
    """Every file of the core and of the built-in plugins, without tests."""
    paths = [*(root / "ganblocks").rglob("*.py"), *(root / "plugins").glob("*/ganblocks_*/**/*.py")]
    return [Module(path, path.read_text(encoding="utf-8")) for path in sorted(paths) if "scaffold" not in path.parts]


def length(function: Function) -> int:
    """Lines of a function from ``def`` to its end, its docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def takes_tensors(function: Function) -> bool:
    """Whether a function takes or returns a tensor, by its annotations."""
    hints = [argument.annotation for argument in ast.walk(function.args) if isinstance(argument, ast.arg)] + [function.returns]
    return any("Tensor" in ast.unparse(hint) for hint in hints if hint is not None)


def states_shapes(function: Function) -> bool:
    """Whether the docstring gives a shape such as [B, C], 0-dim or any shape, or a tensor's name does (x_BCHW)."""
    names = " ".join(argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg))
    return bool(SHAPE.search(ast.get_docstring(function) or "") or re.search(r"_[A-Z]+\b", names))


def circles(files: list[Module]) -> list[list[str]]:
    """Groups of modules that import each other in a circle, under ``TYPE_CHECKING`` too; imports inside functions count."""
    names = {file.name for file in files}
    graph = {file.name: file.imports(names) for file in files}
    done: set[str] = set()
    while ready := {name for name, targets in graph.items() if name not in done and targets <= done}:
        done |= ready
    left = set(graph) - done
    while unused := {name for name in left if not any(name in graph[other] for other in left - {name})}:
        left -= unused
    return [sorted(left)] if left else []


def rooms_imported(files: list[Module]) -> dict[str, list[str]]:
    """Room of the core (a file or a folder) -> the rooms that it imports; ``ganblocks`` stands for its public names."""
    names = {file.name for file in files if file.name.partition(".")[0] == "ganblocks"}
    rooms: dict[str, set[str]] = {}
    for file in files:
        if file.name in names - {"ganblocks"}:
            home = _room(file.name)
            rooms.setdefault(home, set()).update(_room(name) for name in file.imports(names))
    return {home: sorted(targets - {home}) for home, targets in sorted(rooms.items())}


def _room(name: str) -> str:
    """The first part below the package, such as ``training``."""
    return name.split(".")[1] if "." in name else name


def imports_table(files: list[Module]) -> str:
    """The Markdown table of who imports whom."""
    rows = [f"| {home} | {', '.join(targets) or '-'} |" for home, targets in rooms_imported(files).items()]
    return "\n".join(["| room | imports |", "|---|---|", *rows])


def percentile(values: list[int], share: float) -> int:
    """The value below or at which ``share`` of the sorted values lie."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description="Measure the shape of the code.")
    parser.add_argument("--list", action="store_true", help="also print what is outside the aims")
    parser.add_argument("--imports", action="store_true", help="print the table of imports only")
    arguments = parser.parse_args()
    files = modules()
    if arguments.imports:
        print(imports_table(files))
        return
    listed = arguments.list
    lengths = [(length(function), file, function) for file in files for function in file.functions]
    sizes = [size for size, _, _ in lengths]
    public = [(file, function) for file in files for function in file.public]
    undocumented = [(file, function) for file, function in public if ast.get_docstring(function) is None]
    tensors = [(file, function) for file, function in public if takes_tensors(function)]
    shapeless = [(file, function) for file, function in tensors if not states_shapes(function)]
    code = sum(file.code_lines for file in files)
    middle, high = statistics.median(sizes), percentile(sizes, 0.9)
    print(f"functions: {len(sizes)}, median {middle:g} lines, p90 {high}, longest {max(sizes)}")
    print(f"train: {next((size for size, _, function in lengths if function.name == 'train'), 0)} lines")
    print(f"public functions with docstrings: {1 - len(undocumented) / len(public):.1%} of {len(public)}")
    print(f"public functions on tensors that state shapes: {1 - len(shapeless) / len(tensors):.1%} of {len(tensors)}")
    print(f"import circles: {len(circles(files))}")
    print(f"code lines: {code:,} ({code - LINES_BEFORE:+,}); all lines: {sum(file.text.count(chr(10)) for file in files):,}")
    if listed:
        for size, file, function in sorted(lengths, key=lambda row: -row[0]):
            if size > 40:
                print(f"{file.path.relative_to(ROOT)}:{function.lineno}: {function.name}: {size} lines")
        for file, function in undocumented:
            print(f"{file.path.relative_to(ROOT)}:{function.lineno}: {function.name}: no docstring")
        for file, function in shapeless:
            print(f"{file.path.relative_to(ROOT)}:{function.lineno}: {function.name}: no shapes")
        print(*circles(files), sep="\n")
        for file in files:
            if file.text.count("\n") <= SMALL and file.path.name != "__init__.py":
                print(f"{file.path.relative_to(ROOT)}: {file.text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
