"""``ganblocks new-plugin``: write a package with one attention block, its tests and its CI file."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import sys
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from ganblocks.cli.commands import NewPluginOptions
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


def new_plugin(context: Context, options: NewPluginOptions) -> None:
    """Write the package into a new folder of its name. Raise UsageError rather than overwrite anything."""
    name, into = options.name, options.into
    words = _words(name)
    if reason := _taken(context, words):
        raise UsageError(reason, f"choose another name, such as my-{name}")
    folder = into / name
    try:
        _write(folder, words)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})", "choose another folder with --into") from error
    _say_next(folder, words["component"])


def _write(folder: Path, words: dict[str, str]) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already, and is not empty", "choose another name, or another folder with --into")
    for path, template in FILES.items():
        target = folder / _filled(path, words)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (files("ganblocks") / "scaffold" / template).read_text(encoding="utf-8") if template else ""
        target.write_text(_filled(text, words), encoding="utf-8")


def _say_next(folder: Path, component: str) -> None:
    """Print the next three commands."""
    path = folder if folder.is_absolute() else f"./{folder}"
    print(f"{folder}: a package with one attention block, {component}. Next:\n")
    print(f"  pip install -e {shlex.quote(f'{path}[test]')}")
    print(f"  pytest {shlex.quote(str(folder))}")
    print(f'  ganblocks run recipes/sagan.toml --set "*.attention={component}"')


def _words(name: str) -> dict[str, str]:
    """Return the text of each placeholder."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(f"a plugin is named as packages are: lower case letters, digits and single hyphens; got {name!r}")
    first = name.split("-")[0]
    return {
        "distribution": name,
        "package": name.replace("-", "_"),
        "component": f"{first}_attention",
        "Class": f"{first.capitalize()}Attention",
    }


def _taken(context: Context, words: dict[str, str]) -> str:
    """Return why another package, plugin or component would be used instead of the new one; empty if none would."""
    package, component, registry = words["package"], words["component"], context.registry()
    if keyword.iskeyword(package):
        return f"{package!r} is a keyword of Python, which cannot be imported"
    if package == "tests":
        return "'tests' is the folder of the new package's tests"
    if package in {plugin.name for plugin in registry.plugins}:
        return f"a plugin is called {package!r} already"
    if package in sys.stdlib_module_names or importlib.util.find_spec(package):
        return f"{package!r} is a module already, which would be imported instead"
    if _installed(words["distribution"]):
        return f"a distribution is installed as {words['distribution']!r} already, which the new one would replace"
    return f"an attention block is called {component!r} already" if component in registry.names("attention") else ""


def _installed(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
