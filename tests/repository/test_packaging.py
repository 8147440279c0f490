"""One wheel, whose entry points are those that the plugin folders would have as packages of their own."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from ganblocks.cli.new_plugin import FILES

ROOT = Path(__file__).parents[2]
folders = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))


def project(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def entry_points(folder: Path) -> dict[str, str]:
    return project(folder)["entry-points"]["ganblocks"]  # type: ignore[index]


@pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)
def test_a_plugin_folder_is_a_complete_package(folder: Path) -> None:
    facts = project(folder)
    assert facts["name"] == folder.name
    (module,) = entry_points(folder).values()
    hooks = (folder / module / "__init__.py").read_text(encoding="utf-8")
    assert facts["description"] == (ast.get_docstring(ast.parse(hooks)) or "").removesuffix("."), "one truth in two places"
    assert list((folder / "tests").glob("test_*.py")), "a plugin comes with its tests"


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", out, ROOT)
    return zipfile.ZipFile(next(out.glob("*.whl")))


def installed_points(entry_points_txt: str) -> dict[str, str]:
    parser = ConfigParser(delimiters=("=",))
    parser.read_string(entry_points_txt)
    return dict(parser["ganblocks"])


def union_of_folders() -> dict[str, str]:
    union = {name: target for folder in folders for name, target in entry_points(folder).items()}
    assert len(union) == len(folders)
    return union


def test_the_entry_points_of_the_wheel_are_the_union_of_the_folders(wheel: zipfile.ZipFile) -> None:
    (text,) = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/entry_points.txt")]
    assert installed_points(text) == union_of_folders()


def test_the_wheel_holds_ganblocks_and_its_plugins_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    modules = {folder / target: target for folder in folders for target in entry_points(folder).values()}
    expected = {
        f"{name}/{path.relative_to(package).as_posix()}"
        for package, name in {ROOT / "ganblocks": "ganblocks", **modules}.items()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_an_editable_install_finds_every_plugin(tmp_path: Path) -> None:
    pip("install", "--no-deps", "--no-build-isolation", "--target", tmp_path, "-e", ROOT)
    (facts,) = tmp_path.glob("ganblocks-*.dist-info")
    assert installed_points((facts / "entry_points.txt").read_text()) == union_of_folders()
    paths = [line for file in tmp_path.glob("*.pth") for line in file.read_text().splitlines()]
    assert sorted(map(Path, paths)) == sorted([ROOT, *folders])
    assert not list(ROOT.glob("*.pth"))


def test_no_list_of_plugins_is_kept_in_the_root() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    del project["tool"]["mutmut"]  # a choice of files
    assert [folder.name for folder in folders if folder.name in str(project)] == []


def test_the_wheel_carries_the_embedded_data_and_the_licences(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert any(name.startswith("ganblocks_data/") and name.endswith(".webp") for name in names)
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names if "dist-info/licenses" in name}
    assert "ganblocks/py.typed" in names


def test_the_wheel_carries_the_templates_of_new_plugins(wheel: zipfile.ZipFile) -> None:
    templates = {f"ganblocks/scaffold/{path.name}" for path in (ROOT / "ganblocks" / "scaffold").iterdir()}
    assert templates == {name for name in wheel.namelist() if name.startswith("ganblocks/scaffold/")}
    assert {f"ganblocks/scaffold/{template}" for template in FILES.values() if template} == templates
