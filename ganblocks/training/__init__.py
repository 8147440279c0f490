"""Training: one visible loop, and what it keeps."""

from __future__ import annotations

from ganblocks.training.runs import load, run

__all__ = ["load", "run"]
