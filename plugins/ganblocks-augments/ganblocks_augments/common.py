"""Helpers of several augmentations: a rule about policies, random numbers, and the memory format of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import torch
from torch import Tensor

from ganblocks import OptionError


def distinct(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    """Raise OptionError if a policy names a change twice."""
    if len(set(value)) < len(value):
        raise OptionError("must name each change once", "remove the repeated names", attribute.name)


def uniform(ranges: Sequence[tuple[float, float]], batch: int, rng: torch.Generator) -> Tensor:
    """Draw float64 [B, N] on the CPU, B = ``batch``, uniform in each of N ranges."""
    low, high = torch.tensor(ranges, dtype=torch.float64, device="cpu").unbind(1)
    return torch.lerp(low, high, torch.rand(batch, len(ranges), generator=rng, dtype=torch.float64, device="cpu"))


def laid_out(changed: Tensor, image: Tensor) -> Tensor:
    """Return ``changed`` [B, C, H, W] in the type and memory format of ``image``."""
    last = image.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return changed.to(image.dtype).contiguous(memory_format=layout)
