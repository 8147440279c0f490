"""One wheel, whose entry points are those that the plugin folders would have as packages of their own."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from ganblocks.cli.new_plugin import FILES

ROOT = Path(__file__).parents[2]
folders = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))


def project(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def entry_points(folder: Path) -> dict[str, str]:
    return project(folder)["entry-points"]["ganblocks"]  # type: ignore[index]


def test_the_entry_points_of_the_wheel_are_the_union_of_the_folders() -> None:
    union = {name: target for folder in folders for name, target in entry_points(folder).items()}
    assert entry_points(ROOT) == union
    assert len(union) == len(folders)


@pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)
def test_a_plugin_folder_is_a_complete_package(folder: Path) -> None:
    facts = project(folder)
    assert facts["name"] == folder.name
    (module,) = entry_points(folder).values()
    hooks = (folder / module / "__init__.py").read_text(encoding="utf-8")
    assert facts["description"] == (ast.get_docstring(ast.parse(hooks)) or "").removesuffix("."), "one truth in two places"
    assert list((folder / "tests").glob("test_*.py")), "a plugin comes with its tests"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_the_wheel_holds_ganblocks_and_its_plugins_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    modules = {target for folder in folders for target in entry_points(folder).values()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ganblocks", *modules}
    assert not any("/tests/" in name for name in wheel.namelist())


def test_the_wheel_carries_the_embedded_data_and_the_licences(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert any(name.startswith("ganblocks_data/") and name.endswith(".webp") for name in names)
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names if "dist-info/licenses" in name}
    assert "ganblocks/py.typed" in names


def test_the_wheel_carries_the_templates_of_new_plugins(wheel: zipfile.ZipFile) -> None:
    templates = {f"ganblocks/scaffold/{path.name}" for path in (ROOT / "ganblocks" / "scaffold").iterdir()}
    assert templates == {name for name in wheel.namelist() if name.startswith("ganblocks/scaffold/")}
    assert {f"ganblocks/scaffold/{template}" for template in FILES.values() if template} == templates
