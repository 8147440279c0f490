"""Seed one fault at a time into a copy of the tree, and see which test fails.

``python tests/faults/run.py [--only PATTERN ...] [--area PATTERN] [--jobs N]`` from any folder. The faults are the tables of
the TOML files beside this module; ``faults.py`` documents their keys. Witnesses run after ``PREAMBLE``. ``--broken`` only lists
faults whose text or test files no longer exist.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from copies import OUT_OF_TIME, TIMEOUT, Copy
from faults import ROOT, WIRING, Fault, locate, read_faults, read_sources, seed

SURVIVED = "**survived**"

PREAMBLE = """
import torch
from torch import nn
from ganblocks import *
torch.manual_seed(0)
x, site = torch.randn(2, 16, 4, 4), Site(channels=16)
"""

COMMAND = """
This command writes the page:

```
python tests/faults/run.py
```
"""
SEEDED = f"""# Seeded faults

Each row is a plausible bug: a table in `tests/faults/*.toml` with a text of the code, the text that replaces it, a witness
(Python code whose output the fault changes) and the tests that should fail. The runner seeds one fault at a time into a copy of
the tree, checks that the witness prints something else than before, and runs those tests until the first failure. If code moves
to another file, its faults follow without an edit; `--broken` lists those whose text has changed.
{COMMAND}"""
OF_WIRING = f"""# Wiring faults

The right parts, connected wrongly: the wrong weights, labels, split, column, step or name on the way from a component to the
reported result. They were written in November 2026 by a person who had read the code and the pages, but no test. Tests were
then added for those that went unnoticed, so the rows show what the tests detect now. At first, with the few tests that were run
for each, they detected:

31 of 44. Not `ablate-cells-not-filtered`, `batches-without-seed`, `chosen-order-for-places`, `class-zero-is-all`,
`controls-shared-between-options`, `exact-not-passed-on`, `fake-labels-not-of-train`, `import-hash-under-other-player`,
`plot-label-by-place-among-all`, `seconds-not-loaded`, `seeds-needed-for-one-comparison`, `skips-limited-by-rollbacks`,
`truncation-convention-lost`. A fault whose code was removed since is not listed any more.
{COMMAND}"""
PAGES = {False: ("seeded-faults.md", SEEDED), True: ("wiring-faults.md", OF_WIRING)}
"""Whether the faults are of wiring -> their page in docs/reference, and how it begins."""


def page_path(of_wiring: bool) -> Path:
    return ROOT / "docs" / "reference" / PAGES[of_wiring][0]


def problems(faults: Sequence[Fault], sources: Mapping[str, str]) -> list[str]:
    """Say which old texts do not occur exactly once, and which test files do not exist."""
    lines = []
    for fault in faults:
        try:
            locate(fault, sources)
        except LookupError as error:
            lines.append(str(error))
        lines += [f"{fault.name} ({fault.area}.toml): no file {test}" for test in fault.tests if not (ROOT / test).exists()]
    return lines


def first_failure(copy: Copy, tests: Sequence[str], limit: float = TIMEOUT) -> str:
    """Return the first test that fails on the copy as it is; empty if all pass."""
    code, output = copy.pytest(tests, limit)
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?:\[.*| - .*)?$", output, re.MULTILINE)
    if code in (1, 2) and failed:
        return failed[1]
    if code == OUT_OF_TIME:
        return "out-of-time"
    if code:
        raise RuntimeError(f"pytest could not run {' '.join(tests)}: {output}")
    return ""


def try_fault(copy: Copy, fault: Fault, text: str, clean: str) -> str:
    """Seed it, demand that its witness prints something else, and return the test that kills it (or nothing)."""
    copy.write(fault.file, seed(fault, text))
    try:
        if fault.witness and copy.printed([PREAMBLE + fault.witness]) == [clean]:
            raise SystemExit(f"{fault.name}: the witness prints {clean.strip()!r} with and without the fault")
        return first_failure(copy, fault.tests)
    finally:
        copy.write(fault.file, text)


def clean_outputs(copy: Copy, faults: Sequence[Fault]) -> list[str]:
    """Return what the witnesses print on the clean tree, where they and the tests of their faults must not fail."""
    outputs = copy.printed([PREAMBLE + fault.witness for fault in faults])
    failing = [f"{fault.name}: {output}" for fault, output in zip(faults, outputs, strict=True) if output.startswith("raises")]
    if failing:
        sys.exit("witnesses that fail on the clean tree:\n" + "\n".join(failing))
    tests = sorted({test for fault in faults for test in fault.tests})
    if test := first_failure(copy, tests, len(tests) * TIMEOUT):
        sys.exit(f"{test} fails on the clean tree")
    return outputs


def read_killers(page: Path) -> dict[str, str]:
    """Return name of a fault -> what its row says of the test that killed it."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return dict(re.findall(r"^\| `([\w-]+)` \| .* \| (\S+) \|$", text, re.MULTILINE))


def write_page(of_wiring: bool, killers: Mapping[str, str]) -> None:
    """Write a page from the faults and the tests that killed them; faults that were not tried now keep their killers."""
    page = page_path(of_wiring)
    shown = read_killers(page) | {name: f"`{killer}`" if killer else SURVIVED for name, killer in killers.items()}
    known = [fault for fault in read_faults() if (fault.area == WIRING) == of_wiring and fault.name in shown]
    survivors = [fault for fault in known if shown[fault.name] == SURVIVED]
    killed = len(known) - len(survivors)
    lines = [PAGES[of_wiring][1], f"{killed} of {len(known)} killed ({100 * killed / max(len(known), 1):.1f} %).", ""]
    if survivors:
        lines += ["Survivors:", "", *(f"- `{fault.name}`: {fault.survives or 'no reason yet'}" for fault in survivors), ""]
    lines += ["| fault | what is wrong | file | killed by |", "| --- | --- | --- | --- |"]
    lines += [f"| `{fault.name}` | {fault.fault} | `{fault.file}` | {shown[fault.name]} |" for fault in known]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def try_faults(faults: Sequence[Fault], jobs: int) -> dict[str, str]:
    """Try each fault in one of ``jobs`` copies of the tree, and return name -> the test that killed it, or nothing."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            copies.put(copy := Copy(Path(folder).resolve() / str(number)))
            stack.callback(copy.close)
        sources, outputs = read_sources(copy.root), clean_outputs(copy, faults)
        faults = [locate(fault, sources) for fault in faults]

        def work(fault: Fault, clean: str) -> str:
            copy = copies.get()
            try:
                return try_fault(copy, fault, sources[fault.file], clean)
            finally:
                copies.put(copy)

        killers = {}
        with ThreadPoolExecutor(jobs) as pool:
            for fault, killer in zip(faults, pool.map(work, faults, outputs), strict=True):
                print(f"{fault.name}: {f'killed by {killer}' if killer else 'SURVIVED'}", flush=True)
                killers[fault.name] = killer
        return killers


def main() -> None:
    parser = argparse.ArgumentParser(description="Seed faults into a copy of the tree, and see which test fails.")
    parser.add_argument(
        "--only", nargs="+", default=["*"], metavar="PATTERN", help="of names, such as 'losses-*'; rows of others stay"
    )
    parser.add_argument("--area", default="*", metavar="PATTERN", help="of TOML files, such as 'losses'; rows of others stay")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="copies that work at the same time")
    parser.add_argument("--broken", action="store_true", help="only list faults whose text or tests are not found")
    parser.add_argument("--page", action="store_true", help="only write the pages, with the killers that they show")
    arguments = parser.parse_args()
    faults = [fault for fault in read_faults(arguments.area) if any(map(partial(fnmatch, fault.name), arguments.only))]
    if broken := problems(faults, read_sources()):
        sys.exit("\n".join(broken))
    if arguments.broken:
        return
    killers = try_faults(faults, arguments.jobs) if faults and not arguments.page else {}
    for of_wiring in PAGES:
        write_page(of_wiring, killers)


if __name__ == "__main__":
    main()
