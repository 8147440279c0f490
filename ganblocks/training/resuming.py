"""Go on with a run that was stopped, as if it never had been; or for longer than it was meant to go."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ganblocks.assembly import Session, assemble
from ganblocks.errors import CheckpointError
from ganblocks.plugins import discover
from ganblocks.registry import Registry
from ganblocks.training.classes import differing, kept, names_of
from ganblocks.training.comparing import naming_data, refuse_other_images
from ganblocks.training.continuing import Continuation
from ganblocks.training.determinism import deterministic, rehearse
from ganblocks.training.initialising import start_from
from ganblocks.training.loop import NoScorer, Scorer, Watch, train
from ganblocks.training.memory import advising
from ganblocks.training.provenance import provenance
from ganblocks.training.run_folder import RECIPE, RunFolder
from ganblocks.training.runs import class_names_of, pick_device, recipe_of
from ganblocks.training.stopping import StopRequest, stop_on_signals
from ganblocks.training.trainer import Trainer

SAME = ("ganblocks", "torch", "python", "machine", "device", "components")
"""What must be as it was for the same bits; where it is not, the run goes on and says so."""


def resume(
    path: str | Path,
    device: str | None = None,
    registry: Registry | None = None,
    watch: Watch = lambda record: None,
    scorer: Scorer | None = None,
    exact: bool = False,
    images: int | None = None,
    data: str | Path | None = None,
) -> StopRequest:
    """Continue a stopped run from its newest good checkpoint; what ``ganblocks resume`` does.

    Parameters, buffers, optimizers, the average and the place in the data are as they were; every other number of a step is a
    function of the seed and of that place. So the result is bit for bit that of a run that was never stopped, with the same
    versions, device, threads and recipe; where one of them differs, a warning says so. A run that was stopped before its first
    checkpoint begins again.

    Args:
        path: the run folder.
        device: None: that of the run.
        registry: where the recipe's components come from; by default :func:`ganblocks.discover`.
        watch: as in :func:`ganblocks.run`.
        scorer: as in :func:`ganblocks.run`.
        exact: refuse to go on where anything differs that may change bits, instead of warning.
        images: train until so many were seen, whatever the recipe said. Warnings say what becomes of each schedule, and of
            cadences; where no schedule follows the length, the result is that of a run that was begun with so many.
        data: where the data set lies now, if its files have moved.

    Raises:
        CheckpointError: no run, no good checkpoint, a component that is not installed, or, with ``exact``, a difference.
        DataError: the images are not those that the run has seen.
        UsageError: another process is training there, or ``images`` were seen already.

    """
    path, registry = Path(path), registry or discover()
    recipe_of(path, registry)  # no run at all is no place to write a lock
    folder = RunFolder.reopen(path)
    try:
        return _go_on(
            Continuation.of(path, registry, images, data), folder, device, registry, watch, scorer or NoScorer(), exact
        )
    finally:
        folder.close()


def _go_on(
    wanted: Continuation, folder: RunFolder, device: str | None, registry: Registry, watch: Watch, scorer: Scorer, exact: bool
) -> StopRequest:
    recipe, facts, start = wanted.recipe, wanted.facts, wanted.start
    wanted.warn(exact)
    with _threads(facts["threads"]), deterministic(recipe.training.deterministic):
        where = pick_device(device or ("cpu" if facts["device"] == "cpu" else "cuda"))
        with naming_data(wanted.run, recipe, "resume"):
            session = assemble(recipe, registry, device=where, seed=facts["seed"])
            refuse_other_images(wanted.run, facts["data"], session.batches.images, "restore them, or start a new run")
        trainer = Trainer(session)
        now = provenance(session, registry)
        _compare(wanted.run, facts, now, exact)
        if start is None:
            _begin_again(session, wanted.run, facts, scorer, registry)
            trainer = Trainer(session)
        else:
            trainer.restore(start)
        wanted.record(folder, registry, now["components"])
        folder.cut(start.step if start else 0)
        with stop_on_signals() as stop, advising(session):
            scorer.forget(trainer.images_seen)
            train(trainer, folder, stop, watch, scorer)
    return stop


def _begin_again(session: Session, run: Path, facts: Mapping[str, Any], scorer: Scorer, registry: Registry) -> None:
    """What :func:`ganblocks.run` does before its first step. Raises CheckpointError where it cannot start from the same."""
    if (origin := facts.get("init_from")) and _start(session, origin, registry) != origin["manifest"]:
        rule = f"began with the weights of {origin['run']}, which has gone on since, and was stopped before its own checkpoint"
        fix = f"ganblocks run {shlex.quote(str(run / RECIPE))} --init-from {shlex.quote(origin['run'])} --out ANOTHER"
        raise CheckpointError(f"{run}: {rule}; start anew with {fix}")
    if session.recipe.training.deterministic:
        rehearse(session)


def _start(session: Session, origin: Mapping[str, Any], registry: Registry) -> object:
    """Take the weights that a run began with; return the manifest of the checkpoint that has them now."""
    run = Path(origin["run"])
    return start_from(session, run, class_names_of(run, registry))["manifest"]


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """As many threads as the run had; sums of other parts round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _compare(path: Path, then: Mapping[str, Any], now: Mapping[str, Any], exact: bool) -> None:
    """Warn of what may change bits; or, where exactness is asked for, raise CheckpointError."""
    if words := differing(_names(then), _names(now)):
        warnings.warn(f"{words}; the run keeps the names that it began with", stacklevel=3)
    if exact and (found := "; ".join(_differences(then, now))):
        raise CheckpointError(f"{path}: would not be bit-exact: {found}; restore what it was, or leave out --exact")
    for words in _differences(then, now):
        warnings.warn(f"not bit-exact: {words}", stacklevel=3)


def _names(facts: Mapping[str, Any]) -> tuple[str, ...]:
    return names_of(kept(facts, None))


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in SAME:
        before, after = then.get(name), now[name]
        if name == "components" and isinstance(before, Mapping):
            for place in sorted(after):
                one, other = before.get(place), after[place]
                if _source(one) != _source(other):
                    yield f"{place} was {_source(one)} and is {_source(other)}"
        elif before != after:
            yield f"{name} was {before} and is {after}"


def _source(component: Any) -> str:
    """Return name, distribution and version of a component; not its plugin, which a distribution may rename."""
    return f"{component['name']} of {component['distribution']} {component['version']}" if component else "absent"
