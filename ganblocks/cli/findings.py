"""What an inspection of a data set has found, for a person and for a program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import attrs

from ganblocks.cli.output import print_table, printable
from ganblocks.errors import DataError
from ganblocks.kinds.capabilities import Inspects
from ganblocks.values import Finding

EXAMPLES = 3
"""Files that a line of the table names."""


def found_in(dataset: Any) -> list[Finding]:
    """All findings of a data set; one that cannot inspect itself is opened instead."""
    if isinstance(dataset, Inspects):
        return list(dataset.inspect())
    try:
        dataset.open()
    except DataError as error:
        return [Finding("", "does not open", line, fatal=True) for line in str(error).splitlines()]
    return []


def refuse_fatal(findings: Iterable[Finding]) -> None:
    """Raise DataError that names everything for which the data set does not open, file by file."""
    fatal = [f"{finding.place} {finding.words or finding.sort}".strip() for finding in findings if finding.fatal]
    if fatal:
        raise DataError("\n".join(printable(line) for line in fatal))


def show(findings: Iterable[Finding]) -> None:
    """Count what is not fatal, with examples."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.fatal:
            groups[finding.sort].append(finding)
    rows = [(sort, f"{len(group):,}", _examples(group)) for sort, group in sorted(groups.items())]
    if rows:
        print_table(("changed or doubtful", "count", "such as"), rows, right=(1,))


def plain(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [attrs.asdict(finding) for finding in findings]


def _examples(group: list[Finding]) -> str:
    named = [f"{finding.place}{f' ({finding.words})' if finding.words else ''}" for finding in group[:EXAMPLES]]
    return ", ".join(named) + (", …" if len(group) > EXAMPLES else "")
