"""``ganblocks run``: train a recipe into a run folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from ganblocks.cli.context import Context, say
from ganblocks.cli.display import watching
from ganblocks.cli.evaluate import show
from ganblocks.cli.output import console, printable
from ganblocks.cli.recipes import blaming, read
from ganblocks.errors import UsageError
from ganblocks.evaluation import Scoring, wish_of
from ganblocks.recipe import Recipe
from ganblocks.training.classes import names_of
from ganblocks.training.health import read_health
from ganblocks.training.loop import shown_classes
from ganblocks.training.runs import kept_classes
from ganblocks.training.runs import run as train
from ganblocks.training.stopping import Stop


def run(
    context: Context,
    path: Path,
    sets: list[str],
    ablation: str | None,
    out: Path | None,
    device: str,
    seed: int,
    quiet: bool,
    cache: Path | None,
    init_from: Path | None,
) -> int:
    """Returns the exit code: 0, or 128 and the number of the signal that stopped the run."""
    registry = context.registry()
    recipe = read(registry, path, sets, ablation)
    refuse_unused(cache, recipe, path)
    folder = out or fresh_folder(path.stem if ablation is None else f"{path.stem}-{ablation}")
    say(f"{recipe.title}{f', ablation {ablation}' if ablation else ''} -> {folder}")
    scoring = Scoring(recipe.data.dataset, wish_of(recipe.evaluation, registry, device), registry, folder, cache)
    with blaming(path), watching(recipe.training.images, console(stderr=True), quiet) as watch:
        stop = train(recipe, folder, device, seed, registry, watch, scoring, init_from)
    return finish(folder, stop, scoring, quiet, recipe.training.images)


def refuse_unused(cache: Path | None, recipe: Recipe, path: Path) -> None:
    """Raises UsageError for a cache of features where nothing is scored."""
    if cache is not None and recipe.evaluation is None:
        fix = "add [evaluation] to the recipe, or leave it out and give it to ganblocks evaluate"
        raise UsageError(f"--feature-cache {cache}: {path} is not scored, so that there are no features to keep; {fix}")


def finish(folder: Path, stop: Stop, scoring: Scoring, quiet: bool, images: int) -> int:
    """Say how a run ended; returns its exit code."""
    last = max((folder / "samples").glob("*.png"), key=lambda path: (len(path.name), path.name))
    say(f"{'stopped early' if stop else 'finished'}; samples: {last}")
    for line in (*rows_of(folder), *told(read_health(folder))):
        say(line)
    command = f"ganblocks resume {shlex.quote(str(folder))}"
    say(f"{command} goes on from here" if stop else f"to train longer: {command} --images {2 * images}")
    if scoring.last is not None and not quiet:
        show(scoring.last, stderr=True)
    print(folder)
    return 0 if stop.signal is None else 128 + stop.signal


def rows_of(folder: Path) -> list[str]:
    """Which class each row of the run's grids shows, where classes have names."""
    names = names_of(kept_classes(folder, None))
    shown = [names[number] for number in shown_classes(len(names))]
    return [printable(f"its rows, from the top: {', '.join(shown)}")] if shown else []


def told(health: Mapping[str, Any]) -> list[str]:
    """What a run met, and which of its gated blocks hardly act, a line each."""
    events = [f"{each['event']} at {each['images']:,} images: {each['words']}" for each in health.get("events", ())]
    return events + [gate["words"] for gate in health.get("gates", ()) if gate["words"]]


def fresh_folder(name: str) -> Path:
    """runs/NAME, or the first runs/NAME-2, runs/NAME-3, … that does not exist."""
    candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())
