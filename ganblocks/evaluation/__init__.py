"""Scores that carry their protocol."""

from __future__ import annotations

from ganblocks.evaluation.evaluating import Scoring, evaluate, keep, kept, kept_or_said
from ganblocks.evaluation.judge import Judge
from ganblocks.evaluation.report import Missing, Report, Score, refuse_unlike
from ganblocks.evaluation.wish import Wish, wish_of

__all__ = [
    "Judge",
    "Missing",
    "Report",
    "Score",
    "Scoring",
    "Wish",
    "evaluate",
    "keep",
    "kept",
    "kept_or_said",
    "refuse_unlike",
    "wish_of",
]
