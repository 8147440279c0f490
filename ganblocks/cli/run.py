"""``ganblocks run``: train a recipe into a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

from ganblocks.cli.commands import ResumeOptions, RunOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.display import show_progress
from ganblocks.cli.evaluate import cache_of, print_report
from ganblocks.cli.output import console, printable
from ganblocks.cli.recipes import naming_file, read
from ganblocks.cli.report import reported, write_at_end
from ganblocks.errors import CheckpointError, GanblocksError, UsageError
from ganblocks.evaluation import Scoring, evaluation_settings
from ganblocks.evaluation.feature_cache import FeatureCache
from ganblocks.recipe import Recipe, with_loggers
from ganblocks.registry import Registry
from ganblocks.training.examples import row_classes
from ganblocks.training.gates import gate_line
from ganblocks.training.health import read_health
from ganblocks.training.launch import run as train
from ganblocks.training.loop import Watch
from ganblocks.training.run import class_names
from ganblocks.training.stopping import StopRequest


def run(context: Context, options: RunOptions) -> int:
    """Return the exit code: 0, that of the error for which the end could not be scored, or 128 and a signal's number."""
    registry = context.registry()
    recipe = with_loggers(read(registry, options), options.log, registry)
    refuse_unused(options, recipe, options.recipe)
    variant = f"-{options.ablation}" if options.ablation else ""
    folder = options.out or fresh_folder(f"{options.recipe.stem}{variant}")
    say(f"{recipe.title}{f', ablation {options.ablation}' if options.ablation else ''} -> {folder}")
    scoring = scoring_of(options, recipe, registry, folder)
    with naming_file(options.recipe), reported(folder, recipe, registry), progress(options, recipe) as watch:
        stop = train(recipe, folder, options.device, options.seed, registry, watch, scoring, options.init_from)
    return finish(folder, stop, scoring, recipe, registry)


def scoring_of(options: RunOptions | ResumeOptions, recipe: Recipe, registry: Registry, folder: Path) -> Scoring | None:
    """Return the scorer of a run; None with ``--no-score``."""
    if options.no_score:
        return None
    settings = evaluation_settings(recipe.evaluation, registry, options.device or "auto")
    return Scoring(recipe.data.dataset, settings, registry, folder, cache_of(options.feature_cache))


def progress(options: RunOptions | ResumeOptions, recipe: Recipe) -> AbstractContextManager[Watch]:
    """Show progress on stderr within the block, unless ``--quiet``."""
    return show_progress(recipe.training.images, console(stderr=True), options.quiet)


def refuse_unused(options: RunOptions | ResumeOptions, recipe: Recipe, path: Path) -> None:
    """Raise UsageError for a feature cache where nothing is scored, or where it cannot be written."""
    cache = options.feature_cache
    if cache is not None and options.no_score:
        raise UsageError(f"--feature-cache {cache}: --no-score leaves no features to keep; leave out one of the two")
    if cache is not None and recipe.evaluation is None:
        fix = "add [evaluation] to the recipe, or leave it out and give it to ganblocks evaluate"
        raise UsageError(f"--feature-cache {cache}: {path} is not scored, so there are no features to keep; {fix}")
    FeatureCache(cache).refuse_unwritable()


def finish(folder: Path, stop: StopRequest, scoring: Scoring | None, recipe: Recipe, registry: Registry) -> int:
    """Report how a run ended, write its report.html, and return its exit code; ``scoring`` is None without scores."""
    images = recipe.training.images
    if recipe.training.report:
        write_at_end(folder, registry)
    grids = sorted((folder / "samples").glob("*.png"), key=lambda path: (len(path.name), path.name))
    say(f"{'stopped early' if stop else 'finished'}; samples: {grids[-1] if grids else 'none could be written'}")
    for line in (*row_lines(folder), *_health_lines(folder)):
        say(line)
    command = f"ganblocks resume {shlex.quote(str(folder))}{' --no-score' if scoring is None else ''}"
    say(f"to continue: {command}" if stop else f"to train longer: {command} --images {2 * images}")
    if scoring is not None and scoring.last is not None:
        print_report(scoring.last, scoring.kept, stderr=True)
    error = None if scoring is None or stop else scoring.error
    if error is not None:
        command = f"ganblocks evaluate {shlex.quote(str(folder))}"
        say(f"the run is complete but not scored; once the problem above is fixed: {command}")
    print(folder)
    return exit_code(stop, error)


def exit_code(stop: StopRequest, error: Exception | None) -> int:
    """Return the exit code of a run that a signal stopped, or whose end could not be scored; else 0."""
    if stop.signal is not None:
        return 128 + stop.signal
    if error is None:
        return 0
    return error.exit_code if isinstance(error, GanblocksError) else GanblocksError.exit_code


def _health_lines(folder: Path) -> list[str]:
    try:
        return summary_lines(read_health(folder))
    except CheckpointError as error:
        return [f"warning: {error}"]


def row_lines(folder: Path) -> list[str]:
    """Return a line with the class of each row of the run's grids, if classes have names."""
    names = class_names(folder)
    shown = [names[number] for number in row_classes(len(names))]
    return [printable(f"its rows, from the top: {', '.join(shown)}")] if shown else []


def summary_lines(health: Mapping[str, Any]) -> list[str]:
    """Return a line for each event of a run and for each gated block: what is wrong with it, or what it does."""
    events = [f"{event['event']} at {event['images']:,} images: {event['words']}" for event in health.get("events", ())]
    return events + [gate_line(gate) for gate in health.get("gates", ())]


def fresh_folder(name: str) -> Path:
    """Return runs/NAME, or the first of runs/NAME-2, runs/NAME-3, … that does not exist."""
    candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())
