"""``ganblocks run``: train a recipe into a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from ganblocks.cli.commands import ResumeOptions, RunOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.display import watching
from ganblocks.cli.evaluate import show
from ganblocks.cli.output import console, printable
from ganblocks.cli.recipes import blaming, read
from ganblocks.errors import CheckpointError, GanblocksError, UsageError
from ganblocks.evaluation import Scoring, evaluation_settings
from ganblocks.evaluation.feature_cache import FeatureCache
from ganblocks.recipe import Recipe
from ganblocks.training.classes import names_of
from ganblocks.training.grid import row_classes
from ganblocks.training.health import read_health
from ganblocks.training.runs import kept_classes
from ganblocks.training.runs import run as train
from ganblocks.training.stopping import StopRequest


def run(context: Context, options: RunOptions) -> int:
    """Return the exit code: 0, that of the error for which the end could not be scored, or 128 and a signal's number."""
    registry = context.registry()
    recipe = read(registry, options)
    refuse_unused(options, recipe, options.recipe)
    variant = f"-{options.ablation}" if options.ablation else ""
    folder = options.out or fresh_folder(f"{options.recipe.stem}{variant}")
    say(f"{recipe.title}{f', ablation {options.ablation}' if options.ablation else ''} -> {folder}")
    settings = evaluation_settings(recipe.evaluation, registry, options.device)
    scoring = Scoring(recipe.data.dataset, settings, registry, folder, options.feature_cache)
    scorer = None if options.no_score else scoring
    with blaming(options.recipe), watching(recipe.training.images, console(stderr=True), options.quiet) as watch:
        stop = train(recipe, folder, options.device, options.seed, registry, watch, scorer, options.init_from)
    return finish(folder, stop, scorer, options.quiet, recipe.training.images)


def refuse_unused(options: RunOptions | ResumeOptions, recipe: Recipe, path: Path) -> None:
    """Raise UsageError for a feature cache where nothing is scored, or where it cannot be written."""
    cache = options.feature_cache
    if cache is not None and options.no_score:
        raise UsageError(f"--feature-cache {cache}: --no-score leaves no features to keep; leave one of both out")
    if cache is not None and recipe.evaluation is None:
        fix = "add [evaluation] to the recipe, or leave it out and give it to ganblocks evaluate"
        raise UsageError(f"--feature-cache {cache}: {path} is not scored, so that there are no features to keep; {fix}")
    FeatureCache(cache).refuse_unwritable()


def finish(folder: Path, stop: StopRequest, scoring: Scoring | None, quiet: bool, images: int) -> int:
    """Say how a run ended; returns its exit code. ``scoring``: None where nothing was to be scored."""
    pictures = sorted((folder / "samples").glob("*.png"), key=lambda path: (len(path.name), path.name))
    say(f"{'stopped early' if stop else 'finished'}; samples: {pictures[-1] if pictures else 'none could be written'}")
    for line in (*rows_of(folder), *_met(folder)):
        say(line)
    command = f"ganblocks resume {shlex.quote(str(folder))}{' --no-score' if scoring is None else ''}"
    say(f"{command} goes on from here" if stop else f"to train longer: {command} --images {2 * images}")
    if scoring is not None and scoring.last is not None and not quiet:
        show(scoring.last, scoring.kept, stderr=True)
    error = None if scoring is None or stop else scoring.error
    if error is not None:
        again = f"ganblocks evaluate {shlex.quote(str(folder))}"
        say(f"the run is whole, and its end is not scored; when what is said above is mended: {again}")
    print(folder)
    return exit_code(stop, error)


def exit_code(stop: StopRequest, error: Exception | None) -> int:
    """Of a run that was stopped by a signal, or whose end could not be scored; else 0."""
    if stop.signal is not None:
        return 128 + stop.signal
    if error is None:
        return 0
    return error.exit_code if isinstance(error, GanblocksError) else GanblocksError.exit_code


def _met(folder: Path) -> list[str]:
    """What a run met; one that is over is not spoilt by a file that cannot be read."""
    try:
        return told(read_health(folder))
    except CheckpointError as error:
        return [f"warning: {error}"]


def rows_of(folder: Path) -> list[str]:
    """Which class each row of the run's grids shows, where classes have names."""
    names = names_of(kept_classes(folder, None))
    shown = [names[number] for number in row_classes(len(names))]
    return [printable(f"its rows, from the top: {', '.join(shown)}")] if shown else []


def told(health: Mapping[str, Any]) -> list[str]:
    """What a run met, and which of its gated blocks hardly act, a line each."""
    events = [f"{each['event']} at {each['images']:,} images: {each['words']}" for each in health.get("events", ())]
    return events + [gate["words"] for gate in health.get("gates", ()) if gate["words"]]


def fresh_folder(name: str) -> Path:
    """runs/NAME, or the first runs/NAME-2, runs/NAME-3, … that does not exist."""
    candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())
