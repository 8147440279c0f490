"""How loggers are tested, and their properties. A logger whose library is not installed is not tested."""

from __future__ import annotations

import os
import random
import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from attrs import frozen
from numpy.typing import NDArray

from ganblocks.kinds.logger import LoggerSession
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn
from ganblocks.testing.properties import properties
from ganblocks.values import LoggedRun

NUMBERS = {"generator/loss": -0.5, "sigma/generator.block1.conv1": 1e-30, "score/kd[pixels]": 3e30, "step": 1.0}
"""Names and numbers as runs have them."""
RECIPE = {"title": "Run 1: γ", "generator": {"width": 8, "multipliers": [1, 2]}, "loss": {"use": "some"}, "flag": True}


@frozen(kw_only=True)
class LoggerCase(Case):
    """A logger, and the folder of a run in the thread of a run."""

    kind: ClassVar[str] = "logger"

    def in_thread(self, use: Callable[[Path], None]) -> None:
        """Call ``use`` with a temporary folder, in a thread that is not the main one."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ThreadPoolExecutor(1) as pool:
            pool.submit(use, Path(folder)).result()

    def session(self, folder: Path) -> LoggerSession:
        """Return a started session. Raise NotApplicable where the library is missing."""
        run = LoggedRun(name="run-1", title="Run 1: γ", folder=folder, recipe=RECIPE, seed=self.seed)
        try:
            session: LoggerSession = self.component.start(run)
        except ImportError as error:
            raise expect.NotApplicable(f"its library is missing: {error}") from error
        return session

    def grid(self) -> NDArray[np.uint8]:
        """Return a random grid, uint8 [16, 24, 3]."""
        return torch.randint(256, (16, 24, 3), generator=self.rng("grid"), dtype=torch.uint8).numpy()

    def log(self, session: LoggerSession, *moments: int) -> None:
        """Log numbers and a grid at each moment."""
        for images_seen in moments:
            session.log(dict(NUMBERS), images_seen)
            session.images("samples", self.grid(), images_seen)


def takes_what_a_run_logs(case: LoggerCase) -> None:
    """In a thread that is not the main one, it starts in an empty folder, takes numbers and grids, and ends."""

    def use(folder: Path) -> None:
        session = case.session(folder)
        case.log(session, 0, 8, 16)
        session.log({}, 24)
        session.finish(complete=True)

    case.in_thread(use)


def continues_where_it_is_rewound_to(case: LoggerCase) -> None:
    """It takes moments again after a rewind, within a session and in the next one of the same folder."""

    def use(folder: Path) -> None:
        session = case.session(folder)
        case.log(session, 0, 8, 16)
        session.rewind(8)
        case.log(session, 16, 24)
        session.finish(complete=False)
        again = case.session(folder)
        again.rewind(0)
        case.log(again, 8, 16, 24, 32)
        again.finish(complete=True)

    case.in_thread(use)


def leaves_its_arguments_unchanged(case: LoggerCase) -> None:
    """Neither the numbers nor the grid that it gets are modified."""

    def use(folder: Path) -> None:
        session, numbers, grid = case.session(folder), dict(NUMBERS), case.grid()
        session.log(numbers, 8)
        session.images("samples", grid, 8)
        session.finish(complete=True)
        expect.that(numbers == NUMBERS, f"the numbers became {numbers}")
        expect.that(np.array_equal(grid, case.grid()), "the grid was modified")

    case.in_thread(use)


def leaves_the_process_unchanged(case: LoggerCase) -> None:
    """Neither global random numbers nor the working directory nor the handlers of signals change."""

    def use(folder: Path) -> None:
        session = case.session(folder)
        case.log(session, 8)
        session.finish(complete=True)

    before = _process()
    case.in_thread(use)
    changed = [name for name, value in _process().items() if value != before[name]]
    for name in changed:
        expect.fail(f"{name} changed")


def _process() -> dict[str, Any]:
    """Return what a logger must leave as it is."""
    legacy = np.random.get_state(legacy=False)
    return {
        "the state of Python's random numbers": random.getstate(),
        "the state of numpy's random numbers": str(legacy),
        "the state of torch's random numbers": torch.get_rng_state().tolist(),
        "the working directory": os.getcwd(),
        "the handler of SIGINT": signal.getsignal(signal.SIGINT),
        "the handler of SIGTERM": signal.getsignal(signal.SIGTERM),
    }


CASES = drawn(LoggerCase)
PROPERTIES = properties(
    takes_what_a_run_logs,
    continues_where_it_is_rewound_to,
    leaves_its_arguments_unchanged,
    leaves_the_process_unchanged,
    examples=2,
)
