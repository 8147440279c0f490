"""What a benchmark returns; as JSON, and as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from benchmarks.settings import Settings
from benchmarks.timing import Spread

Json = dict[str, Any]
FOLDER = Path(__file__).parents[1] / "docs" / "data" / "performance"
"""Where the results of the page are."""
DIGITS = 3


@frozen
class Row:
    """One measured quantity, or why it was not measured."""

    name: str
    """What was measured, such as ``"S32: ganblocks, fp32"``."""
    unit: str = "s"
    value: Spread | None = None
    ratio: Spread | None = None
    over: str = ""
    """What the ratio is over, round by round."""
    note: str = ""
    skipped: str = ""
    """Why there is no value."""


@frozen
class Result:
    """All rows of a benchmark."""

    rows: Sequence[Row]
    note: str = ""
    """What a reader of the table must know."""
    peers: Mapping[str, str] = field(factory=dict)
    """Peer -> version, for those that were measured."""
    runs: Sequence[Json] = ()
    """What the rows were computed from, where later commands add to it."""


def as_json(name: str, settings: Settings, result: Result, machine: Json, versions: Json) -> Json:
    """Return what is written: the conditions first, then the rows. Numbers have six digits."""
    conditions = {"benchmark": name, "toy": settings.toy, "threads": settings.threads, "against": settings.against}
    return {
        **conditions,
        "machine": machine,
        "versions": {**versions, **result.peers},
        "note": result.note,
        "rows": [_row_as_json(row) for row in result.rows],
        **({"runs": list(result.runs)} if result.runs else {}),
    }


def _row_as_json(row: Row) -> Json:
    written = attrs.asdict(row)
    for part in ("value", "ratio"):
        if written[part] is not None:
            written[part] = {key: number if key == "n" else float(f"{number:.6g}") for key, number in written[part].items()}
    return {key: value for key, value in written.items() if value not in ("", None)}


def write(path: Path, result: Json) -> None:
    """Write a result, with a newline at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(result: Json) -> str:
    """Return a result as Markdown: a table of its rows, then its note and its conditions."""
    lines = ["| measured | value (quartiles) | ratio (quartiles) | over |", "|---|---|---|---|"]
    lines += [_line(row) for row in result["rows"]]
    return "\n".join([*lines, "", f"{result['note']} {_conditions(result)}".strip()])


def _line(row: Json) -> str:
    name = row["name"] + (f" ({row['note']})" if "note" in row else "")
    if "skipped" in row:
        return f"| {name} | not measured: {row['skipped']} | | |"
    value = f"{_shown(row['value'])} {row.get('unit', '')}".strip() if "value" in row else ""
    return f"| {name} | {value} | {_shown(row['ratio']) if 'ratio' in row else ''} | {row.get('over', '')} |"


def _shown(spread: Json) -> str:
    """Return a median with its quartiles; one without spread stands alone."""
    median, lower, upper = (_number(spread[key]) for key in ("median", "lower", "upper"))
    return median if spread["n"] == 1 else f"{median} ({lower}–{upper})"


def _number(value: float) -> str:
    """Return a number with three digits, and more only before the point."""
    return f"{value:,.0f}" if abs(value) >= 10**DIGITS or value == int(value) else f"{value:#.{DIGITS}g}".rstrip(".")


def _conditions(result: Json) -> str:
    machine, versions = result["machine"], result["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    threads = f"{result['threads']} thread{'s' * (result['threads'] != 1)}"
    toy = "Toy size: the numbers mean nothing. " if result["toy"] else ""
    return f"{toy}{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; {threads}; {named}."
