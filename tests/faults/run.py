"""Seed one fault at a time into a copy of the tree, and see which test notices.

``python tests/faults/run.py [--only PATTERN] [--jobs N]`` from anywhere. A fault is a file ``NAME.patch`` beside this one:
three headers, then a unified diff. Its witness is Python code that prints something that the fault changes: proof that it is a
fault. The witness begins after ``PREAMBLE``. The tests are those that ought to kill the fault. One that survives for a good
reason has it in a fourth header, ``Survives``.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from attrs import frozen
from copies import ROOT, Copy

FAULTS = Path(__file__).parent
PAGE = ROOT / "docs" / "reference" / "seeded-faults.md"
OUT_OF_TIME = -1

PREAMBLE = """
import torch
from torch import nn
from ganblocks import *
torch.manual_seed(0)
x, site = torch.randn(2, 16, 4, 4), Site(channels=16)
"""

INTRODUCTION = """# Seeded faults

Each row is a fault that somebody might write: a patch in `tests/faults/`, with a witness (code that prints something else once
the fault is in) and the tests that ought to notice. The runner seeds one at a time into a copy of the tree, checks that the
witness tells it from the clean one, and runs those tests until the first failure. This page is what it writes:

```
python tests/faults/run.py
```
"""


@frozen
class Fault:
    """A patch and its headers."""

    name: str
    description: str
    witness: str
    tests: tuple[str, ...]
    survives: str
    file: str
    """The production file that it changes."""

    @property
    def patch(self) -> Path:
        return FAULTS / f"{self.name}.patch"


def read_fault(patch: Path) -> Fault:
    """Raises ``ValueError`` where a header is missing, or the diff changes anything but one file."""
    text = patch.read_text(encoding="utf-8")
    head, _, diff = text.partition("\n\n")
    headers = dict(re.findall(r"^(Fault|Witness|Tests|Survives): (.+)$", head, re.MULTILINE))
    files = re.findall(r"^\+\+\+ b/(\S+)$", diff, re.MULTILINE)
    if missing := {"Fault", "Witness", "Tests"} - set(headers):
        raise ValueError(f"{patch.name} has no header {', '.join(sorted(missing))}")
    if len(files) != 1:
        raise ValueError(f"{patch.name} changes {len(files)} files")
    tests = tuple(headers["Tests"].split())
    return Fault(patch.stem, headers["Fault"], headers["Witness"], tests, headers.get("Survives", ""), files[0])


def read_faults() -> list[Fault]:
    return [read_fault(patch) for patch in sorted(FAULTS.glob("*.patch"))]


def killer_of(copy: Copy, tests: Sequence[str]) -> str:
    """The first test that fails on the copy as it is; empty where all pass."""
    code, output = copy.pytest(tests)
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?:\[.*| - .*)?$", output, re.MULTILINE)
    if code in (1, 2) and failed:
        return failed[1]
    if code == OUT_OF_TIME:
        return "no end"
    if code:
        raise RuntimeError(f"pytest could not run {' '.join(tests)}: {output}")
    return ""


def try_fault(copy: Copy, fault: Fault, clean: str) -> str:
    """Seed it, demand that its witness prints something else, and return the test that kills it (or nothing)."""
    copy.apply(fault.patch, fault.file)
    try:
        (seeded,) = copy.printed([PREAMBLE + fault.witness])
        if seeded == clean:
            raise SystemExit(f"{fault.name}: the witness prints {clean.strip()!r} with and without the fault")
        return killer_of(copy, fault.tests)
    finally:
        copy.apply(fault.patch, fault.file, reverse=True)


def rows_of(page: str) -> dict[str, str]:
    """Name of a fault -> its row."""
    return {match[1]: match[0] for match in re.finditer(r"^\| `([\w-]+)` \|.*$", page, re.MULTILINE)}


def row(fault: Fault, killer: str) -> str:
    return f"| `{fault.name}` | {fault.description} | `{fault.file}` | {f'`{killer}`' if killer else '**survived**'} |"


def write_page(faults: Sequence[Fault], rows: dict[str, str]) -> None:
    """The whole page; rows of faults that were not tried this time stay as they were."""
    known = [fault for fault in faults if fault.name in rows]
    survivors = [fault for fault in known if rows[fault.name].endswith("**survived** |")]
    killed = len(known) - len(survivors)
    lines = [INTRODUCTION, f"{killed} of {len(known)} killed ({100 * killed / len(known):.1f} %).", ""]
    if survivors:
        lines += ["Survivors:", "", *(f"- `{fault.name}`: {fault.survives or 'no reason yet'}" for fault in survivors), ""]
    lines += ["| patch | fault | file | killed by |", "| --- | --- | --- | --- |", *(rows[fault.name] for fault in known)]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Seed faults into a copy of the tree, and see which test notices.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="of names, such as 'losses-*'; rows of others stay")
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
        outputs = all_copies[0].printed([PREAMBLE + fault.witness for fault in chosen])
        clean = dict(zip([fault.name for fault in chosen], outputs, strict=True))
        if broken := [f"{name}: {output}" for name, output in clean.items() if output.startswith("raises")]:
            sys.exit("witnesses that fail on the clean tree:\n" + "\n".join(broken))
        if failing := killer_of(all_copies[0], sorted({test for fault in chosen for test in fault.tests})):
            sys.exit(f"{failing} fails on the clean tree")

        def work(fault: Fault) -> str:
            copy = copies.get()
            try:
                return try_fault(copy, fault, clean[fault.name])
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(arguments.jobs) as pool:
            for fault, killer in zip(chosen, pool.map(work, chosen), strict=True):
                print(f"{fault.name}: {f'killed by {killer}' if killer else 'SURVIVED'}", flush=True)
                rows[fault.name] = row(fault, killer)
        for copy in all_copies:
            copy.close()
    write_page(faults, rows)


if __name__ == "__main__":
    main()
