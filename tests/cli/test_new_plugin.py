"""``ganblocks new-plugin`` and ``ganblocks conform``, as a user runs them."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, ganblocks


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new")
    done = ganblocks("new-plugin", "acme-blocks", "--into", folder)
    assert done.returncode == 0, done.stderr
    assert "pip install" in done.stdout
    return folder / "acme-blocks"


def code_lines(path: Path) -> int:
    """Lines of Python without blank lines and docstrings."""
    text = path.read_text(encoding="utf-8")
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docs |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(bool(line.strip()) and number not in docs for number, line in enumerate(text.splitlines(), start=1))


def test_the_package_is_complete_and_small(package: Path) -> None:
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    wanted = {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/tests.yml", "tests/test_conformance.py"}
    assert files == wanted | {f"acme_blocks/{name}" for name in ("__init__.py", "attention.py", "py.typed")}
    assert sum(code_lines(path) for path in (package / "acme_blocks").glob("*.py")) <= 30
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "acme-blocks"
    assert project["entry-points"]["ganblocks"] == {"acme_blocks": "acme_blocks"}


def test_the_package_is_clean(package: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", str(package)]
        done = subprocess.run(ruff, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_its_types_are_strict(package: Path) -> None:
    options = ["--strict", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    command = [sys.executable, "-m", "mypy", *options, "--exclude", "^$", "acme_blocks", "tests"]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_next_commands_are_printed_as_a_shell_takes_them(tmp_path: Path) -> None:
    done = ganblocks("new-plugin", "acme-blocks", "--into", "a place", cwd=tmp_path)
    assert [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("  ")] == [
        ["pip", "install", "-e", "./a place/acme-blocks[test]"],
        ["pytest", "a place/acme-blocks"],
        ["ganblocks", "run", "recipes/sagan.toml", "--set", "*.attention=acme_attention"],
    ]


def test_it_never_imports_torch(tmp_path: Path) -> None:
    program = "import sys; from ganblocks.cli import main; assert main(sys.argv[1:]) == 0; assert 'torch' not in sys.modules"
    command = [sys.executable, "-c", program, "new-plugin", "acme-blocks", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_first_word_clashes_with_the_template(tmp_path: Path) -> None:
    """Classes of the block are told apart whatever the name, ``squeeze-excitation`` and ``channel-blocks`` among them."""
    for name in ("squeeze-excitation", "channel-blocks"):
        assert ganblocks("new-plugin", name, "--into", tmp_path).returncode == 0
        source = (tmp_path / name / name.replace("-", "_") / "attention.py").read_text(encoding="utf-8")
        classes = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
        assert len(set(classes)) == 2


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "acme-blocks").mkdir()
    assert ganblocks("new-plugin", "acme-blocks", "--into", tmp_path).returncode == 0
    assert (tmp_path / "acme-blocks" / "pyproject.toml").is_file()


def test_a_place_that_is_no_folder_is_a_user_s_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "acme-blocks").write_text("mine")
    for into, words in ((tmp_path / "file", "cannot be written (Not a directory)"), (tmp_path, "exists already")):
        done = ganblocks("new-plugin", "acme-blocks", "--into", into)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine"}


def test_nothing_is_overwritten(package: Path) -> None:
    before = (package / "README.md").read_text()
    (package / "README.md").write_text("mine")
    done = ganblocks("new-plugin", "acme-blocks", "--into", package.parent)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (package / "README.md").read_text() == "mine"
    (package / "README.md").write_text(before)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Acme", "lower case letters"),
        ("acme_blocks", "single hyphens"),
        ("../acme", "lower case letters"),
        ("9lives", "lower case letters"),
        ("json", "is a module already"),
        ("class", "is a keyword of Python"),
        ("tests", "is the folder of the new package's tests"),
        ("losses", "a plugin is called 'losses' already"),
        ("pillow", "a distribution is installed as 'pillow' already"),
        ("torch", "is a module already"),
        ("self-made", "is called 'self_attention' already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, words: str, tmp_path: Path) -> None:
    done = ganblocks("new-plugin", name, "--into", tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert f"such as my-{name}" in done.stderr or f"got {name!r}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


BROKEN = '''
import ganblocks
from attrs import frozen
from torch import nn

class Crop(nn.Module):
    def forward(self, x):
        return x[:, :, 1:]

@frozen
class Cropping:
    """Loses a row."""
    def build(self, site):
        return Crop()

@ganblocks.hookimpl
def ganblocks_attentions():
    return {"cropping": Cropping}
'''


def test_conform_says_what_is_broken_and_where(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    done = ganblocks("-p", "broken.py", "conform", "broken", cwd=tmp_path)
    assert done.returncode == 1
    assert "BROKEN  has_the_shape_and_type_of_its_kind" in done.stdout
    assert "property: The output has the shape and the type" in done.stdout
    assert "observed: output in training: shape [2, 8, 3, 4], not [2, 8, 4, 4]" in done.stdout
    assert "example: Cropping() with batch 2, scale 1.0, channels 8, size 4×4" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_conform_speaks_json(tmp_path: Path) -> None:
    done = ganblocks("conform", "initializations", "--json", "--examples", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert found["broken"] == 0
    assert found["kept"] + found["not checked"] == len(found["verdicts"])
    assert {"kind", "component", "promise", "words", "status", "found", "example"} == set(found["verdicts"][0])


@pytest.mark.parametrize("name", ["absent-plugin", "", "os"])
def test_conform_of_what_is_no_plugin_is_a_user_s_mistake(name: str) -> None:
    done = ganblocks("conform", name)
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
