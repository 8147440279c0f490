"""``ganblocks report``: one page about a run, about several side by side, or about a study."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganblocks.cli.commands import ReportOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import printable
from ganblocks.errors import Collapsed, Diverged, UsageError
from ganblocks.recipe import Recipe
from ganblocks.registry import Registry, named
from ganblocks.report.run_report import NAME, write_report
from ganblocks.report.study_report import is_study, write_study_report
from ganblocks.training.run import Run


def report(context: Context, options: ReportOptions) -> None:
    """Write the page and print its path. Raise UsageError, CheckpointError for a folder that holds neither."""
    folders = options.folders
    studies = [folder for folder in folders if is_study(folder)]
    if studies and len(folders) > 1:
        raise UsageError(f"{studies[0]}: is a study, which has a report of its own; give it alone")
    path = options.out or (folders[0] / NAME if len(folders) == 1 else Path(NAME))
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out {path}: is an HTML page: name it {path.with_suffix('.html')}")
    command = shlex.join(["ganblocks", "report", *map(str, folders)])
    if studies:
        problems = write_study_report(folders[0], path, command)
    else:
        registry = context.registry()
        problems = write_report([Run.open(folder, registry) for folder in folders], path, command)
    for problem in problems:
        say(printable(f"left out: {problem}"))
    print(path)


@contextmanager
def reported(folder: Path, recipe: Recipe, registry: Registry) -> Iterator[None]:
    """Write the report of a run that ``[health]`` ends within the block, if its recipe wants one."""
    try:
        yield
    except (Diverged, Collapsed):
        if recipe.training.report:
            write_at_end(folder, registry)
        raise


def write_at_end(folder: Path, registry: Registry) -> None:
    """Write the report of a run that has ended; an error is a warning, because the run is saved."""
    try:
        command = shlex.join(["ganblocks", "report", str(folder)])
        write_report([Run.open(folder, registry)], folder / NAME, command, thorough=False)
    except Exception as error:
        warnings.warn(f"{folder / NAME}: not written: {named(error)}", stacklevel=2)
