"""``ganblocks resume``: resume an interrupted run, or train a finished one longer."""

from __future__ import annotations

from ganblocks.cli.commands import ResumeOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.report import reported
from ganblocks.cli.run import finish, progress, refuse_unused, scoring_of
from ganblocks.recipe import named_loggers
from ganblocks.training.continuing import with_length_and_data
from ganblocks.training.launch import resume as resume_run
from ganblocks.training.run import Run


def resume(context: Context, options: ResumeOptions) -> int:
    """Return the exit code, as ``ganblocks run`` does."""
    run = Run.open(options.run, context.registry())
    loggers = named_loggers(options.log, run.registry)
    recipe = with_length_and_data(run.recipe, options.images, options.data)
    refuse_unused(options, recipe, run.path)
    say(f"{recipe.title}: {run.path}, {f'from {run.images_seen:,} images on' if run.images_seen else 'from the beginning'}")
    scoring = scoring_of(options, recipe, run.registry, run.path)
    with reported(run.path, recipe, run.registry), progress(options, recipe) as watch:
        stop = resume_run(
            run, options.device, run.registry, watch, scoring, options.exact, options.images, options.data, loggers
        )
    return finish(run.path, stop, scoring, recipe, run.registry)
