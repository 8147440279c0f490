"""The seeded faults: one TOML file per area beside this module, and the search for the code that each fault changes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PRODUCTION = ("ganblocks/**/*.py", "plugins/*/ganblocks_*/**/*.py")
WIRING = "wiring"


@frozen
class Fault:
    """One text of one production file, and the text that replaces it."""

    name: str
    fault: str
    """What is wrong, or what a user would see."""
    file: str
    """Where the text is searched first: code may move to another file without an edit here."""
    old: str
    new: str
    tests: tuple[str, ...] = field(converter=tuple)
    """The test files that ought to notice."""
    area: str
    """Its TOML file, without the suffix."""
    witness: str = ""
    """Python code whose output the fault changes. Faults of wiring have none."""
    survives: str = ""
    """Why no test notices, where none does."""


def read_faults(area: str = "*") -> list[Fault]:
    """Return the faults of the areas that match a pattern, in the order of the pages."""
    tables: list[dict[str, Any]] = []
    for path in sorted(FOLDER.glob(f"{area}.toml")):
        listed = tomllib.loads(path.read_text(encoding="utf-8")).get("fault", [])
        tables += [{**table, "area": path.stem} for table in listed]
    return [Fault(**table) for table in sorted(tables, key=lambda table: (table["area"] == WIRING, table["name"]))]


def read_sources(root: Path = ROOT) -> dict[str, str]:
    """Return path -> text of every production file."""
    paths = sorted(path for pattern in PRODUCTION for path in root.glob(pattern))
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def locate(fault: Fault, sources: Mapping[str, str]) -> Fault:
    """Return the fault with the file that holds its old text: the file it names or, if that does not, the only other one.

    Raises ``LookupError`` unless the text occurs exactly once there.
    """
    counts = {fault.file: len(occurrences(fault.old, sources.get(fault.file, "")))}
    if not counts[fault.file]:
        counts = {file: count for file, text in sources.items() if (count := len(occurrences(fault.old, text)))}
    if list(counts.values()) != [1]:
        raise LookupError(f"{fault.name} ({fault.area}.toml): its old text must occur exactly once, not {counts or 'nowhere'}")
    return evolve(fault, file=next(iter(counts)))


def occurrences(old: str, text: str) -> list[re.Match[str]]:
    """Find a text, or whole lines of it, whatever the indentation, trailing spaces and empty lines."""
    lines = [line.strip() for line in old.splitlines() if line.strip()]
    if not all(line in text for line in lines):
        return []
    return list(re.finditer(r"(?:^[ ]*)?" + r"\s*\n\s*".join(map(re.escape, lines)), text, re.MULTILINE))


def seed(fault: Fault, text: str) -> str:
    """Return the text of the fault's file with the fault in it, as far indented as the text that it replaces."""
    (match,) = occurrences(fault.old, text)
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    shift = indentation(before or match[0]) - indentation(fault.old.lstrip("\n"))
    lines = [" " * (indentation(line) + shift) + line.strip() for line in fault.new.strip("\n").splitlines()]
    new = "\n".join(lines)
    return text[: match.start()] + (new.lstrip() if before else new) + text[match.end() :]


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
