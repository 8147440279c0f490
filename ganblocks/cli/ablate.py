"""``ganblocks ablate``: compare variants of a recipe over several seeds."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

from ganblocks.cli.commands import AblateOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import print_json, print_table
from ganblocks.cli.recipes import naming_file
from ganblocks.devices import pick_device
from ganblocks.errors import UsageError
from ganblocks.recipe import parse_override
from ganblocks.registry import Registry
from ganblocks.study.cells import Runner, StudyFolder, locked, result_of
from ganblocks.study.plan import Plan, parse_seeds, plan
from ganblocks.study.rows import END
from ganblocks.study.table import Table, tabulate
from ganblocks.study.writing import document, grid, plan_document, write
from ganblocks.training.stopping import stop_on_signals

FAILED = 1
HANGUP = [number for number in signal.Signals if number.name == "SIGHUP"]
"""Sent when a terminal closes, except on Windows. Cells have sessions of their own, and would train on."""

SHOWN = ("variant", "parameters", "runs", END, "difference")
"""Columns that fit into a terminal."""


def ablate(context: Context, options: AblateOptions) -> int:
    """Return the exit code: 0, 1 if a cell failed or a file was not written, or 128 and the number of a signal."""
    registry = context.registry()
    wanted = _plan(registry, options)
    folder = StudyFolder(options.out or Path("ablations") / options.recipe.stem)
    _announce(wanted, folder.path)
    if options.dry_run:
        if options.as_json:
            print_json({"out": str(folder.path), **plan_document(wanted)})
        return 0
    wanted.variants[0].recipe.data.dataset.open()  # missing data is one error now, not one per cell
    with locked(folder.path), stop_on_signals(*HANGUP) as stop:
        runner = Runner(folder, context.arguments(), options.device, options.jobs, say, registry)
        failed = runner.run(wanted, stop)
        if stop.signal is not None:
            say(f"stopped; {folder.path} keeps the cells that have finished, and the same command goes on from there")
            return 128 + stop.signal
        table, unwritten = _tabulated(wanted, folder, options)
    if options.as_json:
        print_json(document(table))
    else:
        _show(table, folder.path)
    for message in unwritten:
        say(f"{message}; the same command tries it again, without training")
    if failed:
        say(f"{len(failed)} cells failed: {'; '.join(cell.name for cell in failed)}; the same command tries them again")
    return FAILED if failed or unwritten else 0


def _plan(registry: Registry, options: AblateOptions) -> Plan:
    """Return the checked plan. Raises UsageError and RecipeError."""
    if options.dry_run and options.score is not None:
        rule = f"--score {options.score}: a dry run makes no table, and cannot tell what scores there will be"
        raise UsageError(rule, "leave it out")
    names = None if options.variants is None else [name.strip() for name in options.variants.split(",") if name.strip()]
    pick_device(options.device)
    with naming_file(options.recipe):
        overrides = dict(map(parse_override, options.sets))
        return plan(options.recipe, names, parse_seeds(options.seeds), overrides, registry)


def _announce(wanted: Plan, folder: Path) -> None:
    say(f"{wanted.title}: {len(wanted.variants)} variants, {len(wanted.seeds)} seeds -> {folder}")
    for variant in wanted.variants:
        cost = f"{variant.cost.parameters:,} parameters, {variant.cost.flops / 1e6:,.1f} M FLOPs / image"
        against = "" if variant.against == variant.name else f"; against {variant.against}"
        say(f"  {variant.name}: {cost}{against}")


def _tabulated(wanted: Plan, folder: StudyFolder, options: AblateOptions) -> tuple[Table, list[str]]:
    """Return the table, and a message for each file that could not be written."""
    results = [result for cell in wanted.cells() if (result := result_of(cell, folder)) is not None]
    table = tabulate(wanted, results, options.score)
    written, failed = write(table, results, folder.path, _command(options))
    for path in written:
        say(f"wrote {path}")
    return table, failed


def _command(options: AblateOptions) -> str:
    """Return the part of the command line that determines what is measured."""
    words = ["ganblocks", "ablate", str(options.recipe), "--seeds", options.seeds]
    words += ["--variants", options.variants] if options.variants else []
    words += [word for text in options.sets for word in ("--set", text)]
    return shlex.join(words)


def _show(table: Table, folder: Path) -> None:
    """Print the main columns and the verdicts; the files hold all columns."""
    names, rows = grid(table)
    indices = [index for index, name in enumerate(names) if name in SHOWN]
    cells = [[row[index] for index in indices] for row in rows]
    print_table([names[index] for index in indices], cells, title=f"{table.title}: {table.score.name}")
    for verdict in table.verdicts():
        print(verdict)
    if (folder / "table.md").is_file():
        print(folder / "table.md")
