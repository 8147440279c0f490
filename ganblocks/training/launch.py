"""Start a run, and resume one."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch

from ganblocks.assembly import Session, assemble
from ganblocks.devices import computes_in_bf16, pick_device, with_precision
from ganblocks.errors import CheckpointError
from ganblocks.plugins import discover
from ganblocks.recipe import Logging, Recipe, rooted, without_loggers, write_recipe
from ganblocks.registry import Registry
from ganblocks.training.classes import classes_without_images, count_classes
from ganblocks.training.continuing import Continuation
from ganblocks.training.determinism import deterministic, rehearse
from ganblocks.training.initialising import start_from
from ganblocks.training.loggers import logged
from ganblocks.training.loop import NoScorer, Scorer, Watch, train
from ganblocks.training.memory import advising
from ganblocks.training.provenance import provenance, recorded
from ganblocks.training.run import Run, class_names
from ganblocks.training.run_folder import RECIPE, RunFolder
from ganblocks.training.stopping import StopRequest, stop_on_signals
from ganblocks.training.trainer import Trainer

FEW_HELD_OUT = 50
"""Fewer held-out images than this give rough scores and controls."""


def run(
    recipe: Recipe,
    out: str | Path,
    device: str = "auto",
    seed: int = 0,
    registry: Registry | None = None,
    watch: Watch = lambda record: None,
    scorer: Scorer | None = None,
    init_from: str | Path | None = None,
) -> StopRequest:
    """Train a recipe into the folder ``out``, as ``ganblocks run`` does. Return whether a signal requested an early stop.

    Args:
        recipe: from :func:`ganblocks.read_recipe`, or built in Python.
        out: the run folder; it must be empty or absent.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA if available.
        seed: of initial values, data order, latents and augmentation.
        registry: where the recipe's components come from; by default :func:`ganblocks.discover`.
        watch: called with the record of every step.
        scorer: scores the generator when the recipe's ``[evaluation]`` asks for it; ``ganblocks run`` passes
            ``ganblocks.evaluation.Scoring``.
        init_from: another run, whose weights both networks start from where they fit.

    Raises:
        RecipeError, DataError: the recipe cannot be assembled, or its data is missing or does not fit.
        Diverged, OutOfMemory: a loss or gradient was not finite, or a step needs more memory than there is.

    """
    registry, chosen = registry or discover(), pick_device(device)
    recipe, loggers = resolved(recipe, chosen), recipe.loggers
    with deterministic(recipe.training.deterministic):
        session = assemble(recipe, registry, device=chosen, seed=seed)
        _warn_of_session(session, chosen, scored=scorer is not None)
        origin = _initialize(session, init_from, registry)
        if scorer is not None and recipe.evaluation is not None:
            scorer.prepare()
        with closing(RunFolder(Path(out))) as folder:
            facts = provenance(session, registry) | {"recipe": recorded(recipe, registry)}
            folder.write(write_recipe(recipe, registry), facts | ({} if origin is None else {"init_from": origin}))
            return _train(Trainer(session), folder, watch, scorer or NoScorer(), loggers, registry)


def resume(
    path: str | Path | Run,
    device: str | None = None,
    registry: Registry | None = None,
    watch: Watch = lambda record: None,
    scorer: Scorer | None = None,
    exact: bool = False,
    images: int | None = None,
    data: str | Path | None = None,
    loggers: Mapping[str, Logging] | None = None,
) -> StopRequest:
    """Resume a stopped run from its newest good checkpoint, as ``ganblocks resume`` does.

    The result is bit for bit that of a run that was never stopped, given the same versions, device, threads and recipe; a
    warning names each of them that differs. A run that was stopped before its first checkpoint starts again.

    Args:
        path: the run folder, or an opened :class:`Run`.
        device: None: that of the run.
        registry: as in :func:`ganblocks.run`.
        watch: as there.
        scorer: as there.
        exact: raise instead of warning if anything differs that may change the result.
        images: train until this many images. Warnings name schedules and cadences that follow the length; if no schedule does,
            the result is that of a run of this length from the start.
        data: where the data set is now, if its files have moved.
        loggers: loggers by name, beside those that the run has.

    Raises:
        CheckpointError: no run, no good checkpoint, a component that is not installed, or, with ``exact``, a difference.
        DataError: the images are not those that the run has seen.
        UsageError: another process is training there, or ``images`` were seen already.
    """
    opened = path if isinstance(path, Run) else Run.open(path, registry)
    with closing(RunFolder.reopen(opened.path)) as folder:  # nobody else writes there from here on
        continuation = Continuation.of(opened.up_to_date(), images, data)
        with _threads(continuation.run.provenance["threads"]), deterministic(continuation.recipe.training.deterministic):
            trainer = _continued(continuation, device, exact, folder)
            (scorer := scorer or NoScorer()).forget(trainer.images_seen)
            return _train(trainer, folder, watch, scorer, {**opened.recipe.loggers, **(loggers or {})}, opened.registry)


def resolved(recipe: Recipe, device: torch.device) -> Recipe:
    """Return the recipe as a run folder keeps it: the precision of the device, absolute paths, and no loggers."""
    return rooted(with_precision(without_loggers(recipe), device))


def _train(
    trainer: Trainer, folder: RunFolder, watch: Watch, scorer: Scorer, loggers: Mapping[str, Logging], registry: Registry
) -> StopRequest:
    with stop_on_signals() as stop, advising(trainer.session), logged(rooted(dict(loggers)), trainer, folder, registry) as log:
        train(trainer, folder, stop, watch, scorer, log)
    return stop


def _initialize(session: Session, init_from: str | Path | None, registry: Registry) -> dict[str, Any] | None:
    """Take the weights of another run, if one is given, and return its origin; name operations that are not deterministic."""
    other = None if init_from is None else Path(init_from)
    origin = None if other is None else start_from(session, other, class_names(other, registry))
    if session.recipe.training.deterministic:
        rehearse(session)
    return origin


def _continued(continuation: Continuation, device: str | None, exact: bool, folder: RunFolder) -> Trainer:
    """Return a trainer at the run's newest checkpoint, and record in the folder what changes from there on."""
    continuation.warn_of_edits(exact)
    run = continuation.run
    facts = run.provenance
    chosen = pick_device(device or ("cpu" if facts["device"] == "cpu" else "cuda"))
    with run.naming_data("resume"):
        session = assemble(continuation.recipe, run.registry, device=chosen, seed=facts["seed"])
        run.refuse_other_images(session.batches.images, "restore them, or start a new run")
    now = provenance(session, run.registry)
    continuation.warn_of_environment(now, exact)
    trainer = _restored(run, session)
    continuation.record(folder, now["components"])
    folder.cut(trainer.steps)
    return trainer


def _restored(run: Run, session: Session) -> Trainer:
    """Return a trainer with the state of the newest checkpoint, or with that of a new run if there is none."""
    trainer = Trainer(session)
    if run.newest is not None:
        trainer.restore(run.read_checkpoint())
        return trainer
    origin = run.provenance.get("init_from")
    current = _initialize(session, origin and origin["run"], run.registry)
    if origin and current and current["manifest"] != origin["manifest"]:
        rule = f"began with the weights of {origin['run']}, which has been trained further, and has no checkpoint of its own"
        command = f"ganblocks run {shlex.quote(str(run.path / RECIPE))} --init-from {shlex.quote(origin['run'])} --out ANOTHER"
        raise CheckpointError(f"{run.path}: {rule}; start anew with {command}")
    return Trainer(session)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Use as many threads as the run had: other numbers of threads round sums differently."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _warn_of_session(session: Session, device: torch.device, scored: bool) -> None:
    """Warn of emulated bfloat16, of classes without training images, and of few held-out images for scores."""
    images, recipe = session.batches.images, session.recipe
    if recipe.training.precision == "bf16" and not computes_in_bf16(device):
        fix = 'set precision = "auto" or "fp32"'
        warnings.warn(f"bfloat16 is emulated on this device and many times slower; {fix}", stacklevel=3)
    if problem := classes_without_images(count_classes(session.image, images)):
        warnings.warn(problem, stacklevel=3)
    held_out = len(images.split["held_out"])
    if scored and recipe.evaluation is not None and held_out < FEW_HELD_OUT:
        warnings.warn(f"only {held_out} images are held out: scores, and controls on these images, will be rough", stacklevel=3)
