"""What an inspection of a data set has found, for a person and for a program."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from ganblocks.cli.output import print_table, printable
from ganblocks.errors import DataError
from ganblocks.kinds.component_capabilities import Inspects
from ganblocks.training.classes import count_classes, untrained
from ganblocks.values import ClassCount, Finding

MOST_CLASSES = 40
"""Classes that are printed one by one."""
EXAMPLES = 3
"""Files that a line of the table names."""


def found_in(dataset: Any) -> tuple[list[Finding], Sequence[ClassCount]]:
    """All findings of a data set, and its classes; one that cannot inspect itself is opened instead."""
    if isinstance(dataset, Inspects):
        return list(dataset.inspect()), dataset.count()
    try:
        images = dataset.open()
    except DataError as error:
        return [Finding("", "does not open", line, fatal=True) for line in str(error).splitlines()], ()
    return [], count_classes(dataset.describe(), images)


def show_classes(classes: Sequence[ClassCount]) -> None:
    """Number, name and training images of each class; of many, the first and the last."""
    rows = [(str(number), each.name, "" if each.count is None else f"{each.count:,}") for number, each in enumerate(classes)]
    if len(rows) > MOST_CLASSES:
        left = len(rows) - MOST_CLASSES
        rows = [*rows[: MOST_CLASSES - 1], ("…", f"{left} more, all of them with --json", ""), rows[-1]]
    if rows:
        print_table(("class", "name", "training images"), rows, right=(0, 2))
    if words := untrained(classes):
        print(f"warning: {printable(words)}")


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


def plain_classes(classes: Sequence[ClassCount]) -> list[dict[str, Any]]:
    return [{"number": number, **attrs.asdict(each)} for number, each in enumerate(classes)]


def plain(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    return [attrs.asdict(finding) for finding in findings]


def _examples(group: list[Finding]) -> str:
    named = [f"{finding.place}{f' ({finding.words})' if finding.words else ''}" for finding in group[:EXAMPLES]]
    return ", ".join(named) + (", …" if len(group) > EXAMPLES else "")
