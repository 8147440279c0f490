"""One logger in a thread of its own, so that it can neither stop nor slow the training."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Semaphore

from ganblocks.kinds.logger import Logger, LoggerSession
from ganblocks.registry import named
from ganblocks.values import LoggedRun

PATIENCE = 20.0
"""Seconds that the end of a run waits for all loggers together. The first start of some takes most of that."""
MOST_RECORDS, MOST_GRIDS = 2000, 16
"""What may wait for a logger; more is lost."""
GOES_ON = "the run goes on without it"
Call = Callable[[LoggerSession], None]
NAME = "logger "
"""Start of the names of the threads."""


class LoggerThread:
    """A logger, from its start on. One that raises is dropped; what one cannot take in time is lost: one warning each.

    Warnings come from the thread that calls the methods. The thread is a daemon: the process does not wait for it.
    """

    def __init__(self, name: str, logger: Logger, run: LoggedRun) -> None:
        self.name = name
        self.is_new = not run.folder.exists()
        """Whether it has logged nothing of this run so far."""
        self._calls: SimpleQueue[tuple[Call, Semaphore] | None] = SimpleQueue()
        self._records, self._grids, self._always = Semaphore(MOST_RECORDS), Semaphore(MOST_GRIDS), Semaphore()
        self._error = ""
        self._warned: set[str] = set()
        self._thread = threading.Thread(target=self._serve, args=(logger, run), name=f"{NAME}{name}", daemon=True)
        self._thread.start()

    def record(self, call: Call) -> None:
        """Make a call that logs a record, once the logger is ready for it."""
        self._offer(call, self._records)

    def grid(self, call: Call) -> None:
        """Make a call that logs a grid, once the logger is ready for it."""
        self._offer(call, self._grids)

    def must(self, call: Call) -> None:
        """Make a call that is never left out."""
        if not self._failed():
            self._calls.put((call, self._always))

    def end(self) -> None:
        """Ask the thread to end after all calls so far."""
        self._calls.put(None)

    def wait(self, until: float) -> None:
        """Wait for the end of the thread until a time of ``time.monotonic``; warn if it has not ended by then."""
        self._thread.join(max(0.0, until - time.monotonic()))
        if not self._failed() and self._thread.is_alive():
            self._warn("slow", f"has not stored everything {PATIENCE:.0f} s after the end of the run; the rest may be missing")

    def _offer(self, call: Call, room: Semaphore) -> None:
        if self._failed():
            return
        if room.acquire(blocking=False):
            self._calls.put((call, room))
        else:
            self._warn("full", "is too slow, or does not answer: what it has no time for is lost to it, and the run goes on")

    def _failed(self) -> bool:
        """Return whether the logger was dropped."""
        if self._error:
            self._warn("dropped", f"is dropped, and {GOES_ON}: {self._error}")
        return bool(self._error)

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(f"the logger {self.name} {message}", stacklevel=5)

    def _serve(self, logger: Logger, run: LoggedRun) -> None:
        try:
            session = _started(logger, run)
            while (item := self._calls.get()) is not None:
                call, room = item
                call(session)
                room.release()
        except BaseException as error:  # a plugin may raise anything, and call sys.exit
            self._error = named(error)


def _started(logger: Logger, run: LoggedRun) -> LoggerSession:
    """Start a logger in its folder, which remains as the sign that it has been started."""
    if run.folder.is_symlink():
        raise OSError(f"{run.folder}: is a link, and a run writes into its own folder only")
    run.folder.mkdir(parents=True, exist_ok=True)
    try:
        return logger.start(run)
    except BaseException:
        with suppress(OSError):  # it holds files
            run.folder.rmdir()
        raise
