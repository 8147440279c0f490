"""Scores that carry their protocol."""

from __future__ import annotations

from ganblocks.evaluation.evaluating import Scoring, evaluate, keep, kept, kept_or_said
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.evaluation.report import Missing, Report, Score, refuse_unlike
from ganblocks.evaluation.settings import EvaluationSettings, evaluation_settings

__all__ = [
    "EvaluationSettings",
    "Evaluator",
    "Missing",
    "Report",
    "Score",
    "Scoring",
    "evaluate",
    "evaluation_settings",
    "keep",
    "kept",
    "kept_or_said",
    "refuse_unlike",
]
