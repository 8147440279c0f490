"""Advice when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import torch

from ganblocks.assembly import Session
from ganblocks.errors import OutOfMemory
from ganblocks.game import capable
from ganblocks.kinds.component_capabilities import Checked, CouplesSamples, DifferentiatesTwice
from ganblocks.kinds.module_capabilities import MixesSamples
from ganblocks.summary import network_costs

NAMED = 2
"""Number of blocks that the advice names."""


@contextmanager
def advising(session: Session) -> Iterator[None]:
    """Raise OutOfMemory, with advice, if the block runs out of memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # on a CPU, torch raises a plain RuntimeError
        if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error):
            raise OutOfMemory(advice(session)) from error
        raise


def advice(session: Session) -> str:
    """Return what was requested, what needs most of it, and what to change."""
    training, image = session.recipe.training, session.image
    at_once = training.microbatch or training.batch
    shape = " x ".join(map(str, image.shape))
    request = f"out of memory with {at_once} images of {shape} at once in {training.precision}"
    device = session.game.device
    peak = f" ({torch.cuda.max_memory_allocated(device) / 2**30:.1f} GiB were in use)" if device.type == "cuda" else ""
    blocks = [
        (block.activations, f"{player}.{block.name}")
        for player, network in network_costs(session.recipe, image).items()
        for block in network.blocks
    ]
    named = ", ".join(f"{name} {size / 2**20:.1f} MiB" for size, name in sorted(blocks, reverse=True)[:NAMED])
    return f"{request}{peak}; {remedy(session)} (most memory for each image: {named}; ganblocks check shows every block)"


def remedy(session: Session) -> str:
    """Return which setting needs less memory, and whether it changes training."""
    training = session.recipe.training
    if whole := [use.name for use in session.facts.uses if isinstance(use.component, DifferentiatesTwice)]:
        rule = f"{whole[0]} takes the whole batch at once, whatever training.microbatch says"
        return f"only a smaller training.batch, smaller images or narrower networks need less: {rule}"
    at_once = training.microbatch or training.batch
    parts = [part for part in range(at_once - 1, 0, -1) if training.batch % part == 0]
    smaller = next((part for part in parts if part <= at_once // 2 and _works(session, part)), None)
    if smaller is None:
        return "only smaller images or narrower networks need less"
    setting, names = f"--set training.microbatch={smaller}", ", ".join(coupling(session))
    if not names:
        return f"{setting} adds up the gradients of the same batch"
    return f"{setting} needs less, but changes training: {names} then couples {smaller} samples instead of {at_once}"


def coupling(session: Session) -> list[str]:
    """Return the components and modules whose result for one sample depends on the others of a forward."""
    named = [f"{use.kind} {use.name}" for use in session.facts.uses if isinstance(use.component, CouplesSamples)]
    mixing = [
        f"the {player}'s {type(module).__name__}"
        for player, network in session.game.networks.items()
        for module in capable(network, MixesSamples)
    ]
    return list(dict.fromkeys((*named, *mixing)))


def _works(session: Session, microbatch: int) -> bool:
    """Return whether every component accepts a microbatch of this size."""
    facts = attrs.evolve(session.facts, microbatch=microbatch)
    return not any(list(use.component.check(facts)) for use in facts.uses if isinstance(use.component, Checked))
