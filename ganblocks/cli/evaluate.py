"""``ganblocks evaluate``: scores, their protocol, and controls."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import attrs

from ganblocks.cli.commands import EvaluateOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.errors import UsageError
from ganblocks.evaluation import EvaluationSettings, Report, evaluation_settings, kept_or_said
from ganblocks.evaluation import evaluate as evaluate_run
from ganblocks.evaluation.evaluating import KEPT
from ganblocks.recipe import parse_override
from ganblocks.registry import Registry
from ganblocks.training.run import Run


def evaluate(context: Context, options: EvaluateOptions) -> None:
    """Score a run; options that are given replace those of the run's recipe."""
    registry = context.registry()
    run = Run.open(options.run, registry)
    report = evaluate_run(run, _settings(options, run), registry, options.feature_cache, options.data)
    kept = kept_or_said(options.run, report)
    if options.as_json:
        print_json(report.plain())
    else:
        show(report, kept)


def _settings(options: EvaluateOptions, run: Run) -> EvaluationSettings:
    """Return the evaluation settings of the run's recipe, with the options that are given."""
    registry = run.registry
    settings = evaluation_settings(run.recipe.evaluation, registry)
    changes: dict[str, Any] = {
        name: getattr(options, name) for name in ("truncation_by", "batch_norm", "seed", "device", "other_data")
    }
    changes |= {name: value for name in ("n", "truncation") if (value := getattr(options, name)) is not None}
    if options.metric:
        changes["metrics"] = {text: component(registry, "metric", text) for text in options.metric}
    if options.extractor is not None:
        changes["extractor"] = component(registry, "feature_extractor", options.extractor)
    return attrs.evolve(settings, **changes, **({"weights": "live"} if options.live else {}))


def component(registry: Registry, kind: str, text: str) -> Any:
    """What a recipe would read from the same text: a name, or a table with ``use`` and options."""
    value = parse_override(f"{kind}={text}")[1]
    options = dict(value) if isinstance(value, dict) else {"use": text}
    name = options.pop("use", None)
    if not isinstance(name, str):
        raise UsageError(f"{text}: a table needs use, the name of a {kind}, such as \"{{ use = '…', size = 64 }}\"")
    return registry.create(kind, name, **options)


def show(report: Report, kept: bool, stderr: bool = False) -> None:
    """Print a report: its numbers, what it has none of, their protocol, and whether the run folder holds it."""
    rows = [
        (score.name, f"{score.value:.4g}", _number(score.held_out), _number(score.noise), score.better, score.id)
        for score in report.scores
    ]
    columns = ("score", "samples", "held-out real", "noise", "better", "protocol")
    print_table(columns, rows, right=(1, 2, 3), stderr=stderr)
    print("\n".join(printable(line) for line in _foot(report, kept)), file=sys.stderr if stderr else sys.stdout)


def _foot(report: Report, kept: bool) -> Iterator[str]:
    """The lines below the table."""
    if untrained := report.untrained():
        yield untrained
    if report.nearest is not None:
        nearest = f"nearest training image: {report.nearest:.3g} times as far as from held-out images"
        yield f"{nearest} (far below 1: memorised)"
    yield from (missing.words() for missing in report.missing)
    yield from (f"  {name}: {words}" for name, words in report.scores[0].protocol.items())
    yield f"after {report.images:,} images; {f'kept in {KEPT}' if kept else 'not kept'}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
