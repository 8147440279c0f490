"""``ganblocks resume``: go on with a run that was stopped."""

from __future__ import annotations

from ganblocks.cli.commands import ResumeOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.display import watching
from ganblocks.cli.output import console
from ganblocks.cli.run import finish, refuse_unused
from ganblocks.evaluation import Scoring, evaluation_settings
from ganblocks.training.checkpoint import images_seen, in_order, latest
from ganblocks.training.continuing import asked
from ganblocks.training.resuming import resume as go_on
from ganblocks.training.runs import recipe_of


def resume(context: Context, options: ResumeOptions) -> int:
    """Return the exit code, as ``ganblocks run`` does."""
    registry, folder = context.registry(), options.run
    recipe = asked(recipe_of(folder, registry), options.images, options.data)
    refuse_unused(options, recipe, folder)
    seen = images_seen(latest(folder)) if in_order(folder / "checkpoints") else 0
    say(f"{recipe.title}: {folder}, {f'from {seen:,} images on' if seen else 'from the beginning'}")
    settings = evaluation_settings(recipe.evaluation, registry, options.device or "auto")
    scoring = Scoring(recipe.data.dataset, settings, registry, folder, options.feature_cache)
    scorer = None if options.no_score else scoring
    with watching(recipe.training.images, console(stderr=True), options.quiet) as watch:
        stop = go_on(folder, options.device, registry, watch, scorer, options.exact, options.images, options.data)
    return finish(folder, stop, scorer, options.quiet, recipe.training.images)
