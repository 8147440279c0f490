"""``extends = "parent.toml"``: at most one parent, in the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganblocks.errors import Mistake, RecipeError
from ganblocks.options.words import shown
from ganblocks.recipe.file import RecipeFile, read_file

LONGEST_NAME = 255
"""Maximum length of a file name in bytes, on every usual file system."""


def with_parent(child: RecipeFile) -> tuple[dict[str, Any], tuple[RecipeFile, ...]]:
    """Return the whole table of a recipe, and its files, the child first. Raise RecipeError."""
    table = dict(child.table)
    if "extends" not in table:
        return table, (child,)
    parent = _parent_of(child, table.pop("extends"))
    if "extends" in parent.table:
        raise _refused(child, parent.path.name, "a parent must not extend another recipe: at most one parent", "merge the two")
    return merged(parent.table, table), (child, parent)


def merged(parent: Any, child: Any) -> Any:
    """Merge two values: tables merge, except that one with another ``use`` replaces; everything else replaces."""
    if not isinstance(child, dict):
        return child
    if isinstance(parent, str) and "use" not in child:
        parent = {"use": parent}  # the short form of a socket
    if not isinstance(parent, dict) or ("use" in child and child["use"] != parent.get("use", child["use"])):
        return child
    return parent | {key: merged(parent.get(key), value) for key, value in child.items()}


def _parent_of(child: RecipeFile, name: Any) -> RecipeFile:
    """Read the parent, which must be a file in the child's folder, also after links are followed."""
    hint = 'write the name of a file beside this one, such as extends = "sagan.toml"'
    if not isinstance(name, str):
        raise _refused(child, name, "must be a string", hint)
    if not name.isprintable() or name in ("", ".", "..") or any(separator in name for separator in "/\\:"):
        raise _refused(child, name, "must be a recipe in the same folder", hint)
    if len(name.encode(errors="replace")) > LONGEST_NAME:
        raise _refused(child, name, "must be a recipe in the same folder: no file has a name this long", hint)
    folder = child.path.parent
    if _target(folder / name).parent != folder.resolve():
        raise _refused(child, name, "must be a recipe in the same folder: this is a link to elsewhere", hint)
    if not (folder / name).is_file():
        raise _refused(child, name, "no such recipe in this folder", hint)
    return read_file(folder / name)


def _target(path: Path) -> Path:
    """Follow links; a link to itself leads nowhere."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return Path("/")


def _refused(child: RecipeFile, name: Any, rule: str, hint: str) -> RecipeError:
    line = child.line_of("extends")[1]
    return RecipeError([Mistake("extends", shown(name), rule, hint, f"{child.name}:{line}")], child.name)
