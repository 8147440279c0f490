"""The points between real images and fakes are drawn on the processor, whatever torch's default device is."""

from __future__ import annotations

import torch
from ganblocks_penalties.gradient_penalty import interpolate


def test_the_default_device_changes_nothing() -> None:
    real, fake = torch.ones(5, 1, 2, 2), torch.zeros(5, 1, 2, 2)
    expected = interpolate(real, fake, torch.Generator().manual_seed(0))
    with torch.device("meta"):
        assert torch.equal(interpolate(real, fake, torch.Generator("cpu").manual_seed(0)), expected)
