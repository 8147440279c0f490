"""Initialize a run from the weights of another."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.assembly import Session
from ganblocks.errors import CheckpointError
from ganblocks.training.average import settle
from ganblocks.training.checkpoint import latest, load_tensors
from ganblocks.training.class_tables import Matching, carried, class_dimensions, of_player
from ganblocks.training.manifest import NAME


def start_from(session: Session, run: Path, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Copy the live weights and buffers of another run into both networks, wherever name and shape are equal.

    Tensors with an entry per class are matched by class name; other classes keep their initial values, as does every tensor
    that does not fit, which a warning names. Optimizers, the average and the clock start anew.

    Args:
        session: the new run.
        run: the folder of the other one.
        classes: the names of its classes; empty: they are matched by number.

    Returns:
        The entry ``init_from`` of provenance.

    Raises:
        CheckpointError: no run, no good checkpoint, or nothing fits.

    """
    checkpoint = latest(run)
    theirs = load_tensors(checkpoint, "game")
    matching = _matching(session.image.class_names, classes)
    taken, tables = 0, 0
    for player, network in session.game.networks.items():
        dimensions = class_dimensions(session, player)
        tables += len(dimensions)
        fresh = _take(network, of_player(theirs, player), dimensions, matching)
        count = len(network.state_dict())
        taken += count - len(fresh)
        if fresh:
            names = ", ".join(fresh[:5]) + (", …" if len(fresh) > 5 else "")
            warnings.warn(f"{len(fresh)} of {count} tensors of the {player} start anew: {names}", stacklevel=2)
    if not taken:
        raise CheckpointError(f"{run}: no weight fits this recipe by name and shape; start from a run of a similar recipe")
    if tables:
        _warn_of_classes(run, matching)
    digest = hashlib.sha256((checkpoint / NAME).read_bytes()).hexdigest()
    return {"run": str(run.absolute()), "checkpoint": checkpoint.name, "manifest": digest, "tensors": taken}


def _matching(ours: Sequence[str], theirs: Sequence[str]) -> Matching | None:
    """Match classes by name; None if one of the runs has no distinct names."""
    by_name = ours and theirs and len(set(ours)) == len(ours) and len(set(theirs)) == len(theirs)
    return Matching(ours, theirs) if by_name else None


def _warn_of_classes(run: Path, matching: Matching | None) -> None:
    if matching is None:
        warnings.warn(f"the classes of {run} or of this recipe have no names: they are matched by number", stacklevel=3)
    elif matching.exchanged:
        warnings.warn(f"the classes of {run} differ: {matching.summary()}", stacklevel=3)


@torch.no_grad()
def _take(
    network: nn.Module, theirs: Mapping[str, Tensor], dimensions: Mapping[str, int | None], matching: Matching | None
) -> list[str]:
    """Copy the tensors that fit; return the names of those that do not."""
    fresh = []
    for name, mine in network.state_dict().items():
        value = _fitting(mine, theirs.get(name), dimensions.get(name, ...), matching)
        if value is None:
            fresh.append(name)
        else:
            mine.copy_(value)
    settle(network)
    return fresh


def _fitting(
    mine: Tensor, other: Tensor | None, dimension: int | EllipsisType | None, matching: Matching | None
) -> Tensor | None:
    """Return the new value of ``mine``; None if it starts anew. ``dimension``: that of the classes; ``...``: there is none."""
    if other is None or (dimension is None and matching is not None and matching.exchanged):
        return None
    if isinstance(dimension, int) and matching is not None and matching.exchanged:
        return carried(mine, other, dimension, matching)
    return other if other.shape == mine.shape else None
