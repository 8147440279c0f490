"""Start a new run from the weights of another."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.assembly import Session
from ganblocks.errors import CheckpointError
from ganblocks.training.average import settle
from ganblocks.training.checkpoint import latest, load_tensors
from ganblocks.training.manifest import NAME


def start_from(session: Session, run: Path) -> dict[str, Any]:
    """Give both networks the live weights and buffers of another run, wherever name and shape are the same.

    What does not fit keeps its own initial values, and a warning names it. Optimizers, the average and the clock start anew.

    Returns:
        What provenance keeps of it.

    Raises:
        CheckpointError: no run, no good checkpoint, or nothing fits.

    """
    checkpoint = latest(run)
    theirs = load_tensors(checkpoint, "game")
    taken = 0
    for player, network in session.game.networks.items():
        prefix = f"{player}."
        part = {name.removeprefix(prefix): value for name, value in theirs.items() if name.startswith(prefix)}
        fresh = _take(network, part)
        count = len(network.state_dict())
        taken += count - len(fresh)
        if fresh:
            names = ", ".join(fresh[:5]) + (", …" if len(fresh) > 5 else "")
            warnings.warn(f"{len(fresh)} of {count} tensors of the {player} start anew: {names}", stacklevel=2)
    if not taken:
        raise CheckpointError(f"{run}: no weight fits this recipe by name and shape; start from a run of a similar recipe")
    digest = hashlib.sha256((checkpoint / NAME).read_bytes()).hexdigest()
    return {"run": str(run.absolute()), "checkpoint": checkpoint.name, "manifest": digest, "tensors": taken}


@torch.no_grad()
def _take(network: nn.Module, theirs: dict[str, Tensor]) -> list[str]:
    """Copy what fits; returns the names of what does not."""
    fresh = []
    for name, mine in network.state_dict().items():
        other = theirs.get(name)
        if other is None or other.shape != mine.shape:
            fresh.append(name)
        else:
            mine.copy_(other)
    settle(network)
    return fresh
