"""The findings of an inspection of a data set, as tables and as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from ganblocks.cli.output import print_table, printable
from ganblocks.errors import DataError
from ganblocks.kinds.component_capabilities import Inspects
from ganblocks.training.classes import classes_without_images, count_classes
from ganblocks.values import ClassCount, Finding

MOST_CLASSES = 40
"""Maximum number of classes that are printed one by one."""
EXAMPLES = 3
"""Files named per line of the table."""


def inspect_data(dataset: Any) -> tuple[list[Finding], Sequence[ClassCount]]:
    """Return all findings of a data set and its classes; one that cannot inspect itself is opened instead."""
    if isinstance(dataset, Inspects):
        return list(dataset.inspect()), dataset.count()
    try:
        images = dataset.open()
    except DataError as error:
        return [Finding("", "does not open", line, fatal=True) for line in str(error).splitlines()], ()
    return [], count_classes(dataset.describe(), images)


def report(findings: Iterable[Finding], classes: Sequence[ClassCount]) -> dict[str, Any]:
    """Return the findings and classes as plain values."""
    counts = [{"number": number, **attrs.asdict(count)} for number, count in enumerate(classes)]
    return {"data": [attrs.asdict(finding) for finding in findings], "class_counts": counts}


def show_report(findings: Iterable[Finding], classes: Sequence[ClassCount]) -> None:
    """Print the findings that are not fatal, with examples, and the classes."""
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.fatal:
            groups[finding.sort].append(finding)
    rows = [(sort, f"{len(group):,}", _examples(group)) for sort, group in sorted(groups.items())]
    if rows:
        print_table(("changed or doubtful", "count", "such as"), rows, right=(1,))
    show_classes(classes)


def show_classes(classes: Sequence[ClassCount]) -> None:
    """Print number, name and training images of each class; of many, the first and the last."""
    rows = [(str(n), count.name, "" if count.count is None else f"{count.count:,}") for n, count in enumerate(classes)]
    if len(rows) > MOST_CLASSES:
        left = len(rows) - MOST_CLASSES
        rows = [*rows[: MOST_CLASSES - 1], ("…", f"{left} more, all of them with --json", ""), rows[-1]]
    if rows:
        print_table(("class", "name", "training images"), rows, right=(0, 2))
    if words := classes_without_images(classes):
        print(f"warning: {printable(words)}")


def refuse_fatal(findings: Iterable[Finding]) -> None:
    """Raise DataError with every finding because of which the data set does not open."""
    fatal = [f"{finding.path} {finding.words or finding.sort}".strip() for finding in findings if finding.fatal]
    if fatal:
        raise DataError("\n".join(printable(line) for line in fatal))


def _examples(group: list[Finding]) -> str:
    named = [f"{finding.path}{f' ({finding.words})' if finding.words else ''}" for finding in group[:EXAMPLES]]
    return ", ".join(named) + (", …" if len(group) > EXAMPLES else "")
