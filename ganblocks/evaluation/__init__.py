"""Scores that carry their protocol."""

from __future__ import annotations

from ganblocks.evaluation.evaluating import Scoring, evaluate
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.evaluation.report import MetricValue, Missing, Report
from ganblocks.evaluation.scores_file import add_report, read_reports, try_add_report
from ganblocks.evaluation.settings import EvaluationSettings, evaluation_settings

__all__ = [
    "EvaluationSettings",
    "Evaluator",
    "MetricValue",
    "Missing",
    "Report",
    "Scoring",
    "add_report",
    "evaluate",
    "evaluation_settings",
    "read_reports",
    "try_add_report",
]
