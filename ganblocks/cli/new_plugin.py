"""``ganblocks new-plugin``: a complete package with one attention block, its tests and its CI file."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path

from ganblocks.cli.context import Context
from ganblocks.errors import UsageError

FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
    ".github/workflows/tests.yml": "workflow.yml.txt",
    "@package@/__init__.py": "hooks.py.txt",
    "@package@/attention.py": "attention.py.txt",
    "@package@/py.typed": "",
    "tests/test_conformance.py": "test_conformance.py.txt",
}
"""Path in the new package -> template in ``ganblocks/scaffold`` (empty: an empty file)."""


def new_plugin(context: Context, name: str, into: Path) -> None:
    """Write the package into a new folder of its name. Raises UsageError; nothing is ever overwritten."""
    words = _words(name)
    _refuse_taken(context, words)
    folder = into / name
    if folder.exists():
        raise UsageError(f"{folder} exists already; choose another name, or another place with --into")
    for path, template in FILES.items():
        target = folder / _filled(path, words)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (files("ganblocks") / "scaffold" / template).read_text(encoding="utf-8") if template else ""
        target.write_text(_filled(text, words), encoding="utf-8")
    print(f"{folder}: a package with one attention block, {words['component']}. Next:\n")
    place = folder if folder.is_absolute() else f"./{folder}"
    print(f"  pip install -e '{place}[test]'")
    print(f"  pytest {folder}")
    print(f'  ganblocks run recipes/sagan.toml --set "*.attention={words["component"]}"')


def _words(name: str) -> dict[str, str]:
    """What stands for each placeholder."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"a plugin is named as packages are: lower case letters, digits and single hyphens; got {name!r}")
    first = name.split("-")[0]
    return {
        "distribution": name,
        "package": name.replace("-", "_"),
        "component": f"{first}_attention",
        "Class": f"{first.capitalize()}Attention",
    }


def _refuse_taken(context: Context, words: dict[str, str]) -> None:
    """A name that Python or an installed package has would be found instead of the new one."""
    package, component = words["package"], words["component"]
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or importlib.util.find_spec(package):
        raise UsageError(f"{package!r} is a module already, which would be imported instead; choose another name")
    if component in context.registry().names("attention"):
        raise UsageError(f"an attention block is called {component!r} already; choose a name with another first word")


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
