"""What to do where there is not enough memory."""

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
    return f"{asked}{peak}; {remedy(session)} (most memory for each image: {named}; ganblocks check shows every block)"


def remedy(session: Session) -> str:
    """What needs less memory, and whether it is the same training."""
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
    return (
        f"{setting} needs less, but is another training: {names} then looks at {smaller} samples together instead of {at_once}"
    )


def coupling(session: Session) -> list[str]:
    """What looks at several samples of a forward together: components that say so, and modules of the networks."""
    named = [f"{use.kind} {use.name}" for use in session.facts.uses if isinstance(use.component, CouplesSamples)]
    mixing = [
        f"the {player}'s {type(module).__name__}"
        for player, network in session.game.networks.items()
        for module in capable(network, MixesSamples)
    ]
    return list(dict.fromkeys((*named, *mixing)))


def _works(session: Session, microbatch: int) -> bool:
    """Whether no component complains of so small a microbatch."""
    facts = attrs.evolve(session.facts, microbatch=microbatch)
    return not any(list(use.component.check(facts)) for use in facts.uses if isinstance(use.component, Checked))
