"""Seeds from named parts, and torch's global random numbers within a block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch is imported on first use
    import torch


def seed_of(*parts: object) -> int:
    """Return a 63-bit seed that depends on the parts only, not on the process, the machine or the order of calls."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int) -> Iterator[torch.Generator]:
    """Seed torch's global CPU generator within the block and restore its state afterwards.

    Yields a generator of the same seed, for code that takes one.
    """
    import torch

    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield torch.Generator().manual_seed(seed)
    finally:
        torch.default_generator.set_state(state)
