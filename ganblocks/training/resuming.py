"""Go on with a run that was stopped, as if it never had been."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ganblocks.assembly import assemble
from ganblocks.errors import CheckpointError, DataError
from ganblocks.plugins import discover
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import latest, load_checkpoint
from ganblocks.training.classes import differing, kept, names_of
from ganblocks.training.determinism import deterministic
from ganblocks.training.loop import Judged, Unjudged, Watch, train
from ganblocks.training.memory import advising
from ganblocks.training.provenance import provenance
from ganblocks.training.reading import read_json, refuse_other_types
from ganblocks.training.run_folder import PROVENANCE, RunFolder
from ganblocks.training.runs import pick_device, recipe_of
from ganblocks.training.stopping import Stop, stop_on_signals

MOST_THREADS = 1024
SAME = ("ganblocks", "torch", "python", "machine", "device", "components")
"""What must be as it was for the same bits; where it is not, the run goes on and says so."""


def resume(
    path: str | Path,
    device: str | None = None,
    registry: Registry | None = None,
    watch: Watch = lambda record: None,
    judged: Judged | None = None,
    exact: bool = False,
) -> Stop:
    """Continue a stopped run from its newest good checkpoint; what ``ganblocks resume`` does.

    Parameters, buffers, optimizers, the average and the place in the data are as they were; every other number of a step is a
    function of the seed and of that place. So the result is bit for bit that of a run that was never stopped, with the same
    versions, device and threads; where one of them differs, a warning says so.

    Args:
        path: the run folder.
        device: None: that of the run.
        registry: where the recipe's components come from; by default :func:`ganblocks.discover`.
        watch: as in :func:`ganblocks.run`.
        judged: as in :func:`ganblocks.run`.
        exact: refuse to go on where anything differs that may change bits, instead of warning.

    Raises:
        CheckpointError: no run, no good checkpoint, a component that is not installed, or, with ``exact``, a difference.
        DataError: the images are not those that the run has seen.
        UsageError: another process is training there.

    """
    path, registry = Path(path), registry or discover()
    recipe, facts = recipe_of(path, registry), _facts(path)
    folder = RunFolder.reopen(path)
    try:
        start = load_checkpoint(latest(path))
        with _threads(facts["threads"]), deterministic(recipe.training.deterministic):
            where = device or ("cpu" if facts["device"] == "cpu" else "cuda")
            session = assemble(recipe, registry, device=pick_device(where), seed=facts["seed"])
            _compare(path, facts, provenance(session, registry), exact)
            refuse_other_types(path, session.game.state_dict(), start.game)
            folder.cut(start.step)
            with stop_on_signals() as stop, advising(session):
                train(session, folder, stop, watch, judged or Unjudged(), start)
    finally:
        folder.close()
    return stop


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """As many threads as the run had; sums of other parts round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _facts(path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = read_json(path / PROVENANCE, _is_provenance)
    except CheckpointError as error:
        raise CheckpointError(f"{path / PROVENANCE}: missing or damaged; without it the seed is not known") from error
    return facts


def _is_provenance(facts: Any) -> bool:
    """Everything that is used of it, of the types that it was written with."""
    owners = [each[part] for each in facts["components"].values() for part in ("name", "distribution", "version")]
    texts = (facts["device"], facts["data"], *owners)
    counts = type(facts["threads"]) is int and 1 <= facts["threads"] <= MOST_THREADS and type(facts["seed"]) is int
    return counts and abs(facts["seed"]) < 2**63 and all(isinstance(text, str) for text in texts)


def _compare(path: Path, then: Mapping[str, Any], now: Mapping[str, Any], exact: bool) -> None:
    """Raises DataError for other data; warns of what else may change bits, or raises CheckpointError."""
    if then["data"] != now["data"]:
        raise DataError(f"{path}: the images are not those that this run has seen; restore them, or start a new run")
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
                if one != other:
                    yield f"{place} was {_owner(one)} and is {_owner(other)}"
        elif before != after:
            yield f"{name} was {before} and is {after}"


def _owner(component: Any) -> str:
    return f"{component['name']} of {component['distribution']} {component['version']}" if component else "absent"
