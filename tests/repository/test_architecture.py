"""Who may import whom: the table of docs/explanation/design.md, held against the imports of the code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "docs" / "scripts"))
import measure_house as house  # noqa: E402

CORE = ROOT / "ganblocks"

ONLY_IN = {
    "pluggy": {"hookspecs.py", "plugins.py"},
    "cattrs": set(),
    "typer": {"cli"},
    "rich": {"cli"},
    "tomllib": {"recipe", "testing"},
    "tomli_w": {"recipe", "testing"},
    "pickle": set(),
}
"""Library -> the only files or folders of the core that name it."""

PUBLIC_ONLY_EXCEPT = {"ganblocks"}


def imports(path: Path, type_checking: bool = True) -> Iterator[str]:
    """Dotted names that a file imports, wherever the statement stands."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    if not type_checking:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                skipped |= {id(child) for part in node.body for child in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who depends on whom"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    first = path.relative_to(CORE).parts[0]
    return first.removesuffix(".py")


def core_rooms() -> set[str]:
    return {room(path) for path in CORE.rglob("*.py")} - {"__init__"}


def named_room(name: str) -> str | None:
    """The room of the core that a dotted import names; "" for the public names, None for another package."""
    parts = name.split(".")
    if parts[0] != "ganblocks":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in core_rooms() else ""


core_files = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")
plugin_files = sorted(path for path in (ROOT / "plugins").glob("*/ganblocks_*/**/*.py"))


def test_the_page_has_the_table_of_imports() -> None:
    """``python docs/scripts/measure_house.py --imports`` prints it."""
    page = (ROOT / "docs" / "explanation" / "design.md").read_text(encoding="utf-8")
    assert f"<!-- imports -->\n{house.imports_table(house.modules())}\n<!-- end of imports -->" in page


def test_rooms_build_on_each_other_without_a_circle() -> None:
    """The kinds name Site, and site.py the kinds that initialise and wrap layers: for type checkers only."""
    graph = {home: set(targets) - {"ganblocks"} for home, targets in house.rooms_imported(house.modules()).items()}
    graph["site"] -= {"kinds"}
    done: set[str] = set()
    while ready := {home for home, targets in graph.items() if home not in done and targets <= done}:
        done |= ready
    assert done == set(graph), f"these import each other: {set(graph) - done}"


def test_nothing_in_the_core_imports_testing_but_conform() -> None:
    users = {path.relative_to(CORE).as_posix() for path in core_files if any(named_room(n) == "testing" for n in imports(path))}
    assert {user for user in users if not user.startswith("testing/")} == {"cli/conform.py"}


def test_site_names_kinds_for_type_checkers_only() -> None:
    assert not any(named_room(name) == "kinds" for name in imports(CORE / "site.py", type_checking=False))


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stays_in_its_place(library: str) -> None:
    users = {path for path in CORE.rglob("*.py") if any(name.split(".")[0] == library for name in imports(path))}
    places = {path.relative_to(CORE).parts[0] for path in users}
    assert places <= ONLY_IN[library]


def declared(folder: Path) -> set[str]:
    """The packages that a plugin's pyproject.toml says it builds on."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[^\w-]", each)[0].replace("-", "_") for each in project["dependencies"]}


@pytest.mark.parametrize("path", plugin_files, ids=lambda path: path.name)
def test_plugins_use_public_names_and_plugins_that_they_declare(path: Path) -> None:
    folder, own = path.relative_to(ROOT / "plugins").parts[:2]
    known = {own, *declared(ROOT / "plugins" / folder)}
    for name in imports(path):
        top = name.split(".")[0]
        assert not top.startswith("ganblocks_") or top in known, (
            f"{own} imports {name}: its pyproject.toml must name that plugin"
        )
        assert named_room(name) in (None, ""), f"{own} reaches into the core: {name}"


def test_plugins_do_not_build_on_each_other_in_a_circle() -> None:
    folders = {path.name.replace("-", "_"): path for path in (ROOT / "plugins").glob("ganblocks-*")}
    graph = {name: declared(folder) & set(folders) for name, folder in folders.items()}
    done: set[str] = set()
    while ready := {name for name, needed in graph.items() if name not in done and needed <= done}:
        done |= ready
    assert done == set(graph), f"these lean on each other: {set(graph) - done}"


def test_every_plugin_package_holds_hooks_only() -> None:
    for path in (ROOT / "plugins").glob("*/ganblocks_*/__init__.py"):
        assert "torch" not in {name.split(".")[0] for name in imports(path)}, f"{path}: listing would import torch"


def test_assembly_alone_reads_a_whole_recipe() -> None:
    """Others may hold a recipe and hand it on."""
    for path in core_files:
        if room(path) in {"game", "batches", "kinds", "values", "registry", "options"}:
            assert not any(named_room(name) == "recipe" for name in imports(path))
