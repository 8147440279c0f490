"""``ganblocks ablate``: variants of a recipe over several seeds, and what their numbers allow to say."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

from ganblocks.cli.commands import AblateOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import print_json, print_table
from ganblocks.cli.recipes import blaming
from ganblocks.devices import pick_device
from ganblocks.errors import UsageError
from ganblocks.recipe import parse_override
from ganblocks.study.cells import Place, Runner, alone, result_of
from ganblocks.study.plan import Plan, parse_seeds, plan
from ganblocks.study.table import Table, tabulate
from ganblocks.study.writing import document, grid, plan_document, write
from ganblocks.training.stopping import stop_on_signals

FAILED = 1
HANGUP = [number for number in signal.Signals if number.name == "SIGHUP"]
"""Of a closed terminal, which Windows does not have; cells, which have sessions of their own, would train on without us."""


def ablate(context: Context, options: AblateOptions) -> int:
    """Returns the exit code: 0, 1 where a cell failed or a file was not written, or 128 and the number of a signal."""
    if options.dry_run and options.score is not None:
        raise UsageError(
            f"--score {options.score}: a dry run makes no table, and cannot tell what scores there will be; leave it out"
        )
    registry, path = context.registry(), options.recipe
    names = None if options.variants is None else [name.strip() for name in options.variants.split(",") if name.strip()]
    pick_device(options.device)
    with blaming(path):
        wanted = plan(path, names, parse_seeds(options.seeds), dict(map(parse_override, options.sets)), registry)
    folder = options.out or Path("ablations") / path.stem
    _announce(wanted, folder)
    if options.dry_run:
        if options.as_json:
            print_json({"out": str(folder), **plan_document(wanted)})
        return 0
    wanted.variants[0].recipe.data.dataset.open()  # missing data is one error now, not one in every cell
    place = Place(folder)
    with alone(folder), stop_on_signals(*HANGUP) as stop:
        runner = Runner(place, context.arguments(), options.device, options.jobs, say, registry)
        failed = runner.run(wanted, stop)
        if stop.signal is not None:
            say(f"stopped; {folder} keeps the cells that have finished, and the same command goes on from there")
            return 128 + stop.signal
        table, unwritten = _tabulated(wanted, place, options)
    if options.as_json:
        print_json(document(table))
    else:
        _show(table, folder)
    for words in unwritten:
        say(f"{words}; the same command tries it again, without training")
    if failed:
        say(f"{len(failed)} cells failed: {'; '.join(cell.name for cell in failed)}; the same command tries them again")
    return FAILED if failed or unwritten else 0


def _announce(wanted: Plan, folder: Path) -> None:
    say(f"{wanted.title}: {len(wanted.variants)} variants, {len(wanted.seeds)} seeds -> {folder}")
    for variant in wanted.variants:
        cost = f"{variant.cost.parameters:,} parameters, {variant.cost.flops / 1e6:,.1f} M FLOPs / image"
        against = "" if variant.against == variant.name else f"; against {variant.against}"
        say(f"  {variant.name}: {cost}{against}")


def _tabulated(wanted: Plan, place: Place, options: AblateOptions) -> tuple[Table, list[str]]:
    """The table, and what of it could not be written."""
    results = [result for cell in wanted.cells() if (result := result_of(cell, place)) is not None]
    table = tabulate(wanted, results, options.score)
    written, failed = write(table, results, place.folder, _command(options))
    for each in written:
        say(f"wrote {each}")
    return table, failed


def _command(options: AblateOptions) -> str:
    """What was typed, as far as it says what was measured."""
    words = ["ganblocks", "ablate", str(options.recipe), "--seeds", options.seeds]
    words += ["--variants", options.variants] if options.variants else []
    for each in options.sets:
        words += ["--set", each]
    return shlex.join(words)


def _show(table: Table, folder: Path) -> None:
    columns, rows = grid(table)
    keep = [i for i, name in enumerate(columns) if name not in ("against", "FLOPs / image")]
    print_table(
        [columns[i] for i in keep], [[row[i] for i in keep] for row in rows], title=f"{table.title}: {table.score.name}"
    )
    for verdict in table.verdicts():
        print(verdict)
    if (folder / "table.md").is_file():
        print(folder / "table.md")
