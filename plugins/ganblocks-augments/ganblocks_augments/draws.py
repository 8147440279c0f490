"""Random numbers that are the same on every device, and reach it without making the host wait."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(rng: torch.Generator, samples: int, numbers: int, device: torch.device) -> Tensor:
    """float32 [samples, numbers] in [0, 1), drawn on the processor and sent in one piece."""
    return torch.rand(samples, numbers, generator=rng).to(device, non_blocking=True)


def integers(draw: Tensor, choices: int) -> Tensor:
    """Uniform numbers in [0, 1) as whole ones in [0, choices), int64."""
    return (draw * choices).long()
