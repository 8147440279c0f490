"""SIGINT and SIGTERM request a stop; the training loop stops after its step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """True once a signal has requested a stop."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal: the first one requests the stop, a second one exits at once."""
        if self.signal is not None:  # half-written files have temporary names
            os._exit(128 + number)
        self.signal = signal.Signals(number)


@contextmanager
def stop_on_signals(*more: signal.Signals) -> Iterator[StopRequest]:
    """Yield a request that SIGINT, SIGTERM and ``more`` signals set within the block; outside the main thread none can.

    A signal among ``more`` that is ignored (as ``nohup`` does) stays ignored.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM, *(extra for extra in more if signal.getsignal(extra) is not signal.SIG_IGN))
    before = [signal.signal(number, stop.handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
