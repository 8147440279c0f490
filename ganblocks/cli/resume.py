"""``ganblocks resume``: go on with a run that was stopped."""

from __future__ import annotations

from pathlib import Path

from ganblocks.cli.context import Context, say
from ganblocks.cli.display import watching
from ganblocks.cli.output import console
from ganblocks.cli.run import finish, refuse_unused
from ganblocks.evaluation import Scoring, evaluation_settings
from ganblocks.training.checkpoint import images_seen, in_order, latest
from ganblocks.training.continuing import asked
from ganblocks.training.resuming import resume as go_on
from ganblocks.training.runs import recipe_of


def resume(
    context: Context,
    folder: Path,
    device: str | None,
    quiet: bool,
    cache: Path | None,
    exact: bool,
    images: int | None,
    data: Path | None,
    scored: bool,
) -> int:
    """Returns the exit code, as ``ganblocks run`` does."""
    registry = context.registry()
    recipe = asked(recipe_of(folder, registry), images, data)
    refuse_unused(cache, recipe, folder, scored)
    seen = images_seen(latest(folder)) if in_order(folder / "checkpoints") else 0
    say(f"{recipe.title}: {folder}, {f'from {seen:,} images on' if seen else 'from the beginning'}")
    scoring = Scoring(
        recipe.data.dataset, evaluation_settings(recipe.evaluation, registry, device or "auto"), registry, folder, cache
    )
    scorer = scoring if scored else None
    with watching(recipe.training.images, console(stderr=True), quiet) as watch:
        stop = go_on(folder, device, registry, watch, scorer, exact, images, data)
    return finish(folder, stop, scorer, quiet, recipe.training.images)
