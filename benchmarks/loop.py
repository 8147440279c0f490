"""The whole training loop over the bare step: what data, average, log, health rules and progress cost together."""

from __future__ import annotations

import io
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console

from benchmarks.results import Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread, Times, alternate, ratio, timed
from benchmarks.workloads import main_session, registry
from ganblocks.assembly import Session
from ganblocks.cli.display import show_progress
from ganblocks.recipe import write_recipe
from ganblocks.training.examples import Examples
from ganblocks.training.grid import save_samples
from ganblocks.training.health import Record
from ganblocks.training.loggers import RunLog
from ganblocks.training.loop import NoScorer, train
from ganblocks.training.provenance import provenance, recorded
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.stopping import StopRequest
from ganblocks.training.trainer import Trainer
from ganblocks.values import Player

BLOCK, TOY_BLOCK = 10, 2
"""Steps that are timed together."""
ROUNDS = 12
LOOP, BARE = "whole loop", "bare step"
NEVER = 10**9
NOTE = (
    "recipes/sagan.toml, in bfloat16 if the processor computes in it. The loop is that of `ganblocks run`: it draws batches, "
    "updates the average, measures norms, decides by the health rules, logs, and shows progress on a terminal; the bare step "
    "is the update rule's alone, on one batch that is drawn beforehand. Blocks of both alternate. Grids and checkpoints are "
    "written outside of the timed blocks, and their times include the statistics of the averaged weights; a run of "
    "this recipe writes four of each."
)


def measure(settings: Settings) -> Result:
    """Time blocks of the loop and of bare steps in turn, then the outputs of a run."""
    block = TOY_BLOCK if settings.toy else BLOCK
    session = endless(main_session("auto", settings.toy))
    with tempfile.TemporaryDirectory() as name, closing(RunFolder(Path(name) / "run")) as folder:
        folder.write(write_recipe(session.recipe, registry()), facts(session))
        trainer = Trainer(session)
        times = interleaved(trainer, folder, bare_step(main_session("auto", settings.toy)), block, settings.rounds(ROUNDS))
        outputs = alternate(_outputs(trainer, folder), settings.rounds(ROUNDS) // 2 or 1, warm_up=0)
    rows = [
        Row(f"{block} steps, {LOOP}", value=Spread.of(times[LOOP]), ratio=ratio(times, LOOP, BARE), over=BARE),
        Row(f"{block} steps, {BARE}", value=Spread.of(times[BARE])),
        *(Row(name, value=Spread.of(seconds)) for name, seconds in outputs.items()),
    ]
    return Result(rows, NOTE)


def endless(session: Session) -> Session:
    """Return the session of a run that writes no grid and no checkpoint for a long time; its statistics stay."""
    training = session.recipe.training
    statistics = training.statistics_every or max(training.images // 100, 1)
    changes: dict[str, Any] = {
        "images": NEVER,
        "samples_every": NEVER,
        "checkpoint_every": NEVER,
        "statistics_every": statistics,
    }
    return attrs.evolve(session, recipe=attrs.evolve(session.recipe, training=attrs.evolve(training, **changes)))


def facts(session: Session) -> dict[str, Any]:
    """Return what a run folder says about a run."""
    return provenance(session, registry()) | {"recipe": recorded(session.recipe, registry())}


def bare_step(session: Session) -> Callable[[], object]:
    """Return the update rule's step alone, on batches that are drawn once."""
    batches = {player: session.batches(player) for player in Player}
    return lambda: session.updater.step(batches.__getitem__, 0)


def interleaved(trainer: Trainer, folder: RunFolder, bare: Callable[[], object], block: int, rounds: int) -> Times:
    """Train; after every block of steps, time as many bare ones. The first block of both is dropped."""
    stop, times, start = StopRequest(), {LOOP: list[float](), BARE: list[float]()}, [0.0]
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)

    def bare_block() -> None:
        for _ in range(block):
            bare()

    with show_progress(NEVER, terminal) as progress:

        def watch(record: Record) -> None:
            progress(record)
            if record["step"] % block:
                return
            times[LOOP].append(time.perf_counter() - start[0])
            times[BARE].append(timed(bare_block))
            if len(times[BARE]) > rounds:
                stop.handle(signal.SIGTERM, None)
            start[0] = time.perf_counter()

        start[0] = time.perf_counter()
        train(trainer, folder, stop, watch, NoScorer(), RunLog.of_none())
    return {name: seconds[1:] for name, seconds in times.items()}


def _outputs(trainer: Trainer, folder: RunFolder) -> dict[str, Callable[[], object]]:
    """Return what a run writes now and then. Averaged weights are those of a new step, so that nothing is reused."""
    grid, path = Examples.of(trainer.session).grid, folder.sample(0)

    def moved(write: Callable[[], object]) -> Callable[[], object]:
        return lambda: (trainer.average.update(trainer.images_seen), write())

    return {
        "a grid of samples": moved(lambda: save_samples(grid, trainer.sampler("average"), path)),
        "a checkpoint": moved(lambda: trainer.save(folder)),
    }
