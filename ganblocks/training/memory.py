"""What to do where there is not enough memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganblocks.assembly import Session
from ganblocks.errors import OutOfMemory
from ganblocks.summary import network_costs

NAMED = 2
"""Blocks that are named."""


@contextmanager
def advising(session: Session) -> Iterator[None]:
    """Raises OutOfMemory, with advice, where the block asks for more memory than there is."""
    try:
        yield
    except (
        RuntimeError,
        MemoryError,
    ) as error:  # torch's own error for a device is a RuntimeError, that for a processor only says so
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):
            raise OutOfMemory(advice(session)) from error
        raise


def advice(session: Session) -> str:
    """What was asked for, what takes most of it, and what to set instead."""
    training, image = session.recipe.training, session.image
    at_once = training.microbatch or training.batch
    shape = " x ".join(map(str, image.shape))
    asked = f"out of memory with {at_once} images of {shape} at once in {training.precision}"
    device = session.game.device
    peak = f" ({torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB were in use)" if device.type == "cuda" else ""
    blocks = [
        (block.activations, f"{player}.{block.name}")
        for player, network in network_costs(session.recipe, image).items()
        for block in network.blocks
    ]
    named = ", ".join(f"{name} {size / 2**20:.1f} MiB" for size, name in sorted(blocks, reverse=True)[:NAMED])
    smaller = next((part for part in range(at_once // 2, 0, -1) if training.batch % part == 0), None)
    remedy = (
        f"--set training.microbatch={smaller} adds up the gradients of the same batch"
        if smaller
        else "only smaller images or narrower networks need less"
    )
    return f"{asked}{peak}; {remedy} (most memory for each image: {named}; ganblocks check shows every block)"
