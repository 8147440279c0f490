"""``ganblocks run``: train a recipe into a run folder."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from attrs import evolve

from ganblocks.cli.context import Context, say
from ganblocks.cli.display import watching
from ganblocks.cli.evaluate import score, show
from ganblocks.cli.output import console
from ganblocks.cli.recipes import blaming, read
from ganblocks.evaluation import wish_of
from ganblocks.training.runs import run as train


def run(
    context: Context, path: Path, sets: list[str], ablation: str | None, out: Path | None, device: str, seed: int, quiet: bool
) -> int:
    """Returns the exit code: 0, or 128 and the number of the signal that stopped the run."""
    registry = context.registry()
    recipe = read(registry, path, sets, ablation)
    folder = out or fresh_folder(path.stem if ablation is None else f"{path.stem}-{ablation}")
    say(f"{recipe.title}{f', ablation {ablation}' if ablation else ''} -> {folder}")
    with blaming(path), watching(recipe.training.images, console(stderr=True), quiet) as watch:
        stop = train(recipe, folder, device, seed, registry, watch)
    last = sorted((folder / "samples").glob("*.png"))[-1]
    say(f"{'stopped early' if stop else 'finished'}; samples: {last}")
    if recipe.evaluation is not None and stop.signal is None:
        show(score(folder, evolve(wish_of(recipe.evaluation, registry), device=device), registry), stderr=True)
    print(folder)
    return 0 if stop.signal is None else 128 + stop.signal


def fresh_folder(name: str) -> Path:
    """runs/NAME, or the first runs/NAME-2, runs/NAME-3, … that does not exist."""
    candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in count(1))
    return next(folder for folder in candidates if not folder.exists())
