"""Garbage collection of a process that imports torch and ends soon."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

FEW = (100_000, 50, 100)
"""Thresholds of :mod:`gc` with which importing torch collects no generation but the youngest."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Within the block collect garbage rarely; what is alive at its end is never collected.

    Modules are no garbage. To search the objects of torch for it, again and again while they are created, takes a fifth of the
    import, and as much once more when Python ends.
    """
    before = gc.get_threshold()
    gc.set_threshold(*FEW)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*before)
