"""How fast ganblocks is, measured beside its peers and its own earlier commits: ``python -m benchmarks NAME``.

A benchmark is a module of this folder with a function ``measure(settings) -> Result``; ``NAMES`` lists them. Everything that is
compared runs in turn within one process, so that a drift of the machine meets all sides alike.
"""

from __future__ import annotations

NAMES = ("iteration", "products", "peak", "memory", "loop", "data", "evaluate", "start_up", "sample", "quality")
"""In the order of the page."""
LONG = ("quality",)
"""What ``python -m benchmarks all`` leaves out."""
