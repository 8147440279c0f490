"""SIGINT and SIGTERM ask for a stop; the loop obeys at the end of its step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether somebody asked for a stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def ask(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:  # a second one leaves at once: what is half written has a name that nobody reads
            os._exit(128 + number)
        self.signal = signal.Signals(number)


@contextmanager
def stop_on_signals(*more: signal.Signals) -> Iterator[StopRequest]:
    """Within the block the first signal only sets a flag. (Outside the main thread signals cannot be caught.)

    Args:
        more: signals that ask for a stop beside SIGINT and SIGTERM; one that is ignored (as ``nohup`` does) stays ignored.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM, *(each for each in more if signal.getsignal(each) is not signal.SIG_IGN))
    before = [signal.signal(number, stop.ask) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
