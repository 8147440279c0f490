"""``ganblocks evaluate``: scores, their protocol, and controls."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from ganblocks.cli.commands import EvaluateOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.errors import UsageError
from ganblocks.evaluation import EvaluationSettings, Report, evaluation_settings, try_add_report
from ganblocks.evaluation import evaluate as evaluate_run
from ganblocks.evaluation.feature_cache import FeatureCache, user_cache
from ganblocks.evaluation.report import BlockScores
from ganblocks.recipe import parse_override
from ganblocks.registry import Registry
from ganblocks.training.run import Run
from ganblocks.training.run_folder import SCORES


def evaluate(context: Context, options: EvaluateOptions) -> None:
    """Score a run; options that are given replace those of the run's recipe."""
    registry = context.registry()
    run = Run.open(options.run, registry)
    cache = cache_of(options.feature_cache)
    report = evaluate_run(run, _settings(options, run), registry, cache, options.data, options.attention)
    kept = try_add_report(options.run, report)
    if options.as_json:
        print_json(report.to_dict())
    else:
        print_report(report, kept)


def cache_of(folder: Path | None) -> FeatureCache:
    """Return the cache in the folder of ``--feature-cache``; without one, the user's."""
    return user_cache() if folder is None else FeatureCache(folder)


def _settings(options: EvaluateOptions, run: Run) -> EvaluationSettings:
    """Return the evaluation settings of the run's recipe, with the options that are given."""
    registry = run.registry
    settings = evaluation_settings(run.recipe.evaluation, registry)
    changes: dict[str, Any] = {
        name: getattr(options, name) for name in ("truncation_by", "batch_norm", "seed", "device", "other_data")
    }
    changes |= {name: value for name in ("n", "truncation") if (value := getattr(options, name)) is not None}
    if options.metric:
        changes |= _metrics(registry, options.metric)
    if options.extractor is not None:
        changes["extractor"] = component(registry, "feature_extractor", options.extractor)
    changes |= {"weights": "live"} if options.live else {}
    return attrs.evolve(settings, **changes)


def _metrics(registry: Registry, texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the metrics and the diagnostics that ``--metric`` names."""
    chosen: dict[str, dict[str, Any]] = {"metrics": {}, "diagnostics": {}}
    for text in texts:
        kind = registry.kind_of_metric(_parse("metric", text)[0])
        chosen[f"{kind}s"][text] = component(registry, kind, text)
    return chosen


def component(registry: Registry, kind: str, text: str) -> Any:
    """Return the component that a recipe would make of the same text: a name, or a table with ``use`` and options."""
    name, options = _parse(kind, text)
    return registry.create(kind, name, **options)


def _parse(kind: str, text: str) -> tuple[str, dict[str, Any]]:
    """Return name and options of a component. Raises UsageError for a table without ``use``."""
    value = parse_override(f"{kind}={text}")[1]
    options = dict(value) if isinstance(value, dict) else {"use": text}
    name = options.pop("use", None)
    if not isinstance(name, str):
        raise UsageError(f"{text}: a table needs use, the name of a {kind}, such as \"{{ use = '…', size = 64 }}\"")
    return name, options


def print_report(report: Report, kept: bool, stderr: bool = False) -> None:
    """Print a report: numbers, missing numbers, the protocol, and whether the run folder holds it."""
    rows = [
        (score.name, f"{score.value:.4g}", _number(score.held_out), _number(score.noise), score.better, score.id)
        for score in report.scores
    ]
    columns = ("score", "samples", "held-out real", "noise", "better", "protocol")
    print_table(columns, rows, right=(1, 2, 3), stderr=stderr)
    if report.blocks:
        print_blocks(report.blocks, stderr)
    print("\n".join(printable(line) for line in _foot(report, kept)), file=sys.stderr if stderr else sys.stdout)


def print_blocks(blocks: Sequence[BlockScores], stderr: bool = False) -> None:
    """Print the numbers with each block in other forms, and their differences from the generator as it was trained."""
    trained = blocks[0].scores
    rows = [
        (block.path or "the generator", block.form, name, f"{value:.4g}", f"{value - trained[name]:+.3g}" if block.path else "")
        for block in blocks
        for name, value in block.scores.items()
        if name in trained
    ]
    print_table(("block", "form", "score", "samples", "difference"), rows, right=(3, 4), stderr=stderr)


def _foot(report: Report, kept: bool) -> Iterator[str]:
    """Yield the lines below the table."""
    if untrained := report.untrained():
        yield untrained
    if report.nearest is not None:
        nearest = f"nearest training image: {report.nearest:.3g} times as far as from held-out images"
        yield f"{nearest} (far below 1: memorised)"
    yield from (missing.message() for missing in report.missing)
    yield from (f"  {key}: {text}" for key, text in report.scores[0].protocol.items())
    yield f"after {report.images:,} images; {f'kept in {SCORES}' if kept else 'not kept'}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
