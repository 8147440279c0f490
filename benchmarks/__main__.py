"""``python -m benchmarks NAME``: run a benchmark, or all of them, or write the page from their results."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import LONG, NAMES
from benchmarks.machine import cores, machine, versions
from benchmarks.page import write_page
from benchmarks.results import FOLDER, as_json, table, write
from benchmarks.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line names, and return the exit code."""
    options = parser().parse_args(arguments)
    if options.name == "page":
        write_page()
        return 0
    if options.name == "all":
        return run_all(options)
    out = options.out or FOLDER / f"{options.name}.json"
    for seed in options.seeds if options.name in LONG else options.seeds[:1]:
        run(options.name, Settings(options.threads, options.toy, options.repetitions, options.against, seed, out))
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument(
        "name", choices=[*NAMES, "all", "page"], help="all: every benchmark but quality; page: write the tables"
    )
    options.add_argument("--toy", action="store_true", help="tiny sizes, to see that it runs")
    options.add_argument("--repetitions", type=int, help="timed rounds; default: the benchmark's own number")
    options.add_argument("--threads", type=int, default=cores(), help="threads of torch; default: the cores of this process")
    options.add_argument("--out", type=Path, help="default: docs/data/performance/NAME.json; for all: a folder")
    options.add_argument("--against", metavar="COMMIT", help="iteration, quality: compare with this commit")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="quality: train with these, one after another")
    options.add_argument("--only", nargs="+", choices=NAMES, help="all: these benchmarks")
    return options


def run(name: str, settings: Settings) -> None:
    """Measure, write the JSON, and print the table."""
    assert settings.out is not None, "the command line has a default"
    os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    import torch  # reads it when it is imported

    torch.set_num_threads(settings.threads)
    conditions = machine(), versions()  # of the code as it is imported now
    result = importlib.import_module(f"benchmarks.{name}").measure(settings)
    written = as_json(name, settings, result, *conditions)
    write(settings.out, written)
    print(table(written))


def run_all(options: argparse.Namespace) -> int:
    """Run benchmarks one after another, in a process each, and return 1 if one failed."""
    failed = []
    for name in options.only or [name for name in NAMES if name not in LONG]:
        print(f"\n{name}\n", flush=True)
        out = (options.out or FOLDER) / f"{name}.json"
        command = [sys.executable, "-m", "benchmarks", name, "--threads", str(options.threads), "--out", str(out)]
        command += ["--toy"] * options.toy
        command += ["--repetitions", str(options.repetitions)] if options.repetitions else []
        command += ["--against", options.against] if options.against else []
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print("failed:", ", ".join(failed), file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
