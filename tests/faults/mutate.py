"""Mutate the components' mathematics, one change at a time, and see whether the tests notice.

``python tests/faults/mutate.py [--only PATTERN] [--most N]``. The changes are mutmut's, which must be installed: its operators,
and its table in ``pyproject.toml``. Its runner is not used: it imports the tree through trampolines that cannot hold decorated
functions, and names modules by their paths, which those of plugins do not follow. Here each mutant is a file on a copy of the
tree, as a seeded fault is.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import random
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import libcst as cst
from attrs import asdict, evolve, frozen
from copies import Copy
from faults import ROOT
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.configuration import config
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

PAGE = ROOT / "docs" / "reference" / "mutation.md"
RESULTS = ROOT / "build" / "mutants.json"
REASONS = Path(__file__).with_name("survivors.toml")
CORE_TESTS = {
    "ganblocks/training/average.py": ["tests/training/test_average.py"],
    "ganblocks/schedules.py": ["tests/test_schedules.py", "tests/test_schedule_values.py"],
}

INTRODUCTION = """# Mutation testing

Every file below implements mathematics. The driver applies each change in its functions that mutmut's operators know (another
operator, number, constant or argument; a removed argument, condition or result) and runs the tests of its plugin, or of its
module of the core, until the first failure. From a file with more than {most} mutants, {most} are drawn at random with a fixed
seed. Assertions and error messages are not mutated. The driver needs `pip install mutmut` and writes this page:

```
python tests/faults/mutate.py --most {most}
```
"""


@frozen
class Mutant:
    """A change of one line, and whether a test noticed."""

    line: int
    before: str
    after: str
    killed: bool = False

    @property
    def change(self) -> str:
        return f"{self.before} -> {self.after}"


class Visitor(MutationVisitor):
    """mutmut's visitor, without its fear of decorators."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        decorated = isinstance(node, cst.FunctionDef) and len(node.decorators) > 0
        return False if decorated else super()._skip_node_and_children(node)


def mutants_of(name: str, code: str) -> list[tuple[Mutant, str]]:
    """Every change within a function of a file, and the whole text that has it."""
    wrapper = MetadataWrapper(cst.parse_module(code))
    visitor = Visitor(mutation_operators, get_ignored_lines(name, code, wrapper, None))
    module = wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    found = {}
    for mutation in visitor.mutations:
        if isinstance(mutation.contained_by_top_level_function, cst.FunctionDef):
            text = module.deep_replace(mutation.original_node, mutation.mutated_node).code
            before, after = (module.code_for_node(node) for node in (mutation.original_node, mutation.mutated_node))
            line = positions[mutation.original_node].start.line
            found[text] = Mutant(line, " ".join(before.split()), " ".join(after.split()))
    return [(mutant, text) for text, mutant in found.items() if text != code]


def tests_of(name: str) -> list[str]:
    """The tests beside it. Those of the contract that all plugins share take long, and are no plugin's own."""
    folder = ROOT / Path(*Path(name).parts[:2]) / "tests"
    beside = [path for path in sorted(folder.glob("test_*.py")) if path.name != "test_conformance.py"]
    return CORE_TESTS.get(name) or [path.relative_to(ROOT).as_posix() for path in beside]


def try_file(copy: Copy, name: str, most: int) -> list[Mutant]:
    """All mutants of a file, or ``most`` drawn at random, with their verdicts."""
    code, tests = (copy.root / name).read_text(encoding="utf-8"), tests_of(name)
    mutants = mutants_of(name, code)
    if len(mutants) > most:
        mutants = sorted(random.Random(name).sample(mutants, most), key=lambda pair: pair[0].line)
    started = time.monotonic()
    failure, output = copy.pytest(tests)
    if failure:
        sys.exit(f"{name}: its tests fail on the clean tree: {output}")
    limit = 10 + 5 * (time.monotonic() - started)
    tried = []
    for mutant, text in mutants:
        copy.write(name, text)
        failure, _ = copy.pytest(tests, limit)
        tried.append(evolve(mutant, killed=failure != 0))
    copy.write(name, code)
    return tried


def reason_of(name: str, mutant: Mutant, reasons: dict[str, dict[str, list[str]]]) -> str:
    """The first reason of ``survivors.toml`` that has a pattern for this change in this file."""
    for reason, files in reasons.items():
        for pattern, changes in files.items():
            if fnmatch.fnmatch(name, f"*{pattern}") and any(change in mutant.change for change in changes):
                return reason
    return "Not yet reviewed."


def write_page(results: dict[str, list[dict[str, Any]]], most: int) -> None:
    tried = {name: [Mutant(**each) for each in mutants] for name, mutants in sorted(results.items())}
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8")) if REASONS.exists() else {}
    lines = [
        INTRODUCTION.format(most=most),
        "| file | mutants | killed | survived | share |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, mutants in tried.items():
        lines.append(row(f"`{name}`", len(mutants), sum(mutant.killed for mutant in mutants)))
    everything = [mutant for mutants in tried.values() for mutant in mutants]
    lines.append(row("all", len(everything), sum(mutant.killed for mutant in everything)))
    groups: dict[str, list[str]] = {}
    for name, mutants in tried.items():
        for mutant in mutants:
            if not mutant.killed:
                entry = f"- `{Path(name).name}:{mutant.line}`: ``{mutant.before}`` becomes ``{mutant.after}``"
                groups.setdefault(reason_of(name, mutant, reasons), []).append(entry)
    lines += ["", "## Survivors", ""]
    for reason, entries in sorted(groups.items()):
        lines += [f"{reason} ({len(entries)})", "", *entries, ""]
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def row(name: str, mutants: int, killed: int) -> str:
    return f"| {name} | {mutants} | {killed} | {mutants - killed} | {100 * killed / max(mutants, 1):.0f} % |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutate the components' mathematics, and see whether the tests notice.")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="of paths, such as '*losses*'; results of others stay")
    parser.add_argument("--most", type=int, default=40, metavar="N", help="mutants of each file; more are drawn from at random")
    parser.add_argument("--page", action="store_true", help="only write the page, from the results that are there")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    results: dict[str, list[dict[str, Any]]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    chosen = [] if arguments.page else sorted(path for pattern in config().only_mutate for path in ROOT.glob(pattern))
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder).resolve() / "tree")
        for path in chosen:
            name = path.relative_to(ROOT).as_posix()
            if path.name == "__init__.py" or not fnmatch.fnmatch(name, arguments.only):
                continue
            started = time.monotonic()
            tried = try_file(copy, name, arguments.most)
            results[name] = [asdict(mutant) for mutant in tried]
            killed = sum(mutant.killed for mutant in tried)
            print(f"{name}: {killed} of {len(tried)} killed, {time.monotonic() - started:.0f} s", flush=True)
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1))
        copy.close()
    write_page(results, arguments.most)


if __name__ == "__main__":
    main()
