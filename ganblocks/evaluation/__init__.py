"""Scores that carry their protocol."""

from __future__ import annotations

from ganblocks.evaluation.evaluating import Scoring, evaluate, keep, kept
from ganblocks.evaluation.judge import Judge
from ganblocks.evaluation.report import Report, Score, refuse_unlike
from ganblocks.evaluation.wish import Wish, wish_of

__all__ = ["Judge", "Report", "Score", "Scoring", "Wish", "evaluate", "keep", "kept", "refuse_unlike", "wish_of"]
