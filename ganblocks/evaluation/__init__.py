"""Scores that carry their protocol."""

from __future__ import annotations

from ganblocks.evaluation.evaluating import Wish, evaluate, wish_of
from ganblocks.evaluation.report import Report, Score, refuse_unlike

__all__ = ["Report", "Score", "Wish", "evaluate", "refuse_unlike", "wish_of"]
