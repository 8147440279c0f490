"""Seed faults of wiring, written by somebody who had not seen the tests, and see which test notices.

``python tests/faults/wiring.py [--only PATTERN] [--jobs N]``. ``wiring.toml`` has a table for each: the file, a text that
stands there once, the text that takes its place, what a user would see, and the tests that are run until the first failure.
The page docs/reference/wiring-faults.md is what this writes.
"""

from __future__ import annotations

import argparse
import fnmatch
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from attrs import frozen
from copies import ROOT, Copy
from run import killer_of, rows_of

FAULTS = Path(__file__).with_name("wiring.toml")
PAGE = ROOT / "docs" / "reference" / "wiring-faults.md"
INTRODUCTION = """# Faults of wiring

The right parts, passed on wrongly: the wrong weights, labels, split, column, moment or name on the way from a part to what a
person looks at. These were written in November 2026 by somebody who had read the code and the pages, and no test. The authors
of the tests then saw which went unnoticed, and wrote tests for those, so that a row says what the tests notice now; what they
noticed at first, each by the few tests that were run for it, stands here:

<!-- first -->

The page is what this writes:

```
python tests/faults/wiring.py
```
"""


@frozen
class Fault:
    """One replacement in one file."""

    name: str
    file: str
    old: str
    new: str
    what: str
    """What a user would see."""
    tests: tuple[str, ...]


def read_faults() -> list[Fault]:
    return [Fault(**{**table, "tests": tuple(table["tests"])}) for table in tomllib.loads(FAULTS.read_text())["fault"]]


def try_fault(copy: Copy, fault: Fault) -> str:
    """Return the test that notices; empty where none does."""
    text = (copy.root / fault.file).read_text(encoding="utf-8")
    if text.count(fault.old) != 1:
        raise SystemExit(f"{fault.name}: the old text stands {text.count(fault.old)} times in {fault.file}")
    copy.write(fault.file, text.replace(fault.old, fault.new))
    try:
        return killer_of(copy, fault.tests)
    finally:
        copy.write(fault.file, text)


def write_page(faults: list[Fault], rows: dict[str, str]) -> None:
    """The whole page; rows of faults that were not tried this time stay as they were."""
    known = [fault for fault in faults if fault.name in rows]
    noticed = sum(not rows[fault.name].endswith("**unnoticed** |") for fault in known)
    head = PAGE.read_text(encoding="utf-8").split("\n| fault ")[0] if PAGE.exists() else INTRODUCTION
    head = "\n".join(line for line in head.splitlines() if not line.endswith(" noticed.")).rstrip()
    lines = [head, "", f"{noticed} of {len(known)} noticed.", "", "| fault | what a user would see | file | noticed by |"]
    lines += ["| --- | --- | --- | --- |", *(rows[fault.name] for fault in known)]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Seed faults of wiring into a copy of the tree, and see which test notices.")
    parser.add_argument("--only", default="*", metavar="PATTERN")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="copies that work at the same time")
    arguments = parser.parse_args()
    faults = read_faults()
    chosen = [fault for fault in faults if fnmatch.fnmatch(fault.name, arguments.only)]
    rows = rows_of(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        all_copies = [Copy(Path(folder).resolve() / str(number)) for number in range(arguments.jobs)]
        copies: SimpleQueue[Copy] = SimpleQueue()
        for copy in all_copies:
            copies.put(copy)

        def work(fault: Fault) -> str:
            copy = copies.get()
            try:
                return try_fault(copy, fault)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(arguments.jobs) as pool:
            for fault, killer in zip(chosen, pool.map(work, chosen), strict=True):
                print(f"{fault.name}: {f'noticed by {killer}' if killer else 'UNNOTICED'}", flush=True)
                found = f"`{killer}`" if killer else "**unnoticed**"
                rows[fault.name] = f"| `{fault.name}` | {fault.what} | `{fault.file}` | {found} |"
        for copy in all_copies:
            copy.close()
    write_page(faults, rows)


if __name__ == "__main__":
    main()
