"""``ganblocks resume``: go on with a run that was stopped."""

from __future__ import annotations

from pathlib import Path

from ganblocks.cli.context import Context, say
from ganblocks.cli.display import watching
from ganblocks.cli.output import console
from ganblocks.cli.run import finish, refuse_unused
from ganblocks.evaluation import Scoring, wish_of
from ganblocks.training.checkpoint import images_seen, latest
from ganblocks.training.resuming import resume as go_on
from ganblocks.training.runs import recipe_of


def resume(
    context: Context, folder: Path, device: str | None, quiet: bool, cache: Path | None, exact: bool, scored: bool
) -> int:
    """Returns the exit code, as ``ganblocks run`` does."""
    registry = context.registry()
    recipe = recipe_of(folder, registry)
    refuse_unused(cache, recipe, folder, scored)
    seen = images_seen(latest(folder))
    say(f"{recipe.title}: {folder}, from {seen:,} images on")
    scoring = Scoring(recipe.data.dataset, wish_of(recipe.evaluation, registry, device or "auto"), registry, folder, cache)
    judged = scoring if scored else None
    with watching(recipe.training.images, console(stderr=True), quiet) as watch:
        stop = go_on(folder, device, registry, watch, judged, exact)
    return finish(folder, stop, judged, quiet)
