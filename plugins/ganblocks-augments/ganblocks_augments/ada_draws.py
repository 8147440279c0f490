"""What ADA draws for each image: which changes take part, and by how much."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from attrs import frozen
from torch import Tensor

from ganblocks_augments.cutout import corner_ranges
from ganblocks_augments.translation import shift_ranges

CHANGES = ("flip", "rotation", "translation", "brightness", "contrast", "luma", "hue", "saturation", "cutout")
"""Each takes part with a draw of its own."""


@frozen
class Amounts:
    """How large each change is, where it takes part."""

    translation: float
    brightness: float
    contrast: float
    hue: float
    saturation: float
    cutout: float

    def draw(self, image: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """For images [B, C, H, W]: (uniform in [0, 1) by change [B, 9], amounts [B, 11]), on their device.

        Amounts: mirrored (0 or 1), quarter turns, shift down and right, b, c, f, θ and s of ``tone``, row and column of the
        box's corner. All are drawn on the processor, whatever takes part, and sent in one piece, without making the host wait.
        """
        batch = len(image)
        shares = torch.rand(batch, len(CHANGES), generator=rng, device="cpu").double()  # rounding must not bring one to 1
        whole = _whole(self._ranges(image), batch, rng)
        turned = torch.rand(batch, 1, generator=rng, dtype=torch.float64, device="cpu")
        b, c, s = torch.randn(batch, 3, generator=rng, dtype=torch.float64, device="cpu").unsqueeze(2).unbind(1)
        tones = [
            self.brightness * b,
            torch.exp2(self.contrast * c),
            1 - 2 * whole[:, 4:5],
            math.pi * self.hue * (2 * turned - 1),
            torch.exp2(self.saturation * s),
        ]
        draws = torch.cat([shares, whole[:, :4], *tones, whole[:, 5:]], dim=1)
        sent = draws.to(image.device, image.dtype, non_blocking=True)
        return sent[:, : len(CHANGES)], sent[:, len(CHANGES) :]

    def _ranges(self, image: Tensor) -> list[tuple[float, float]]:
        """Where whole numbers lie: mirrored or not, quarter turns, both shifts, luma flipped or not, both of the corner."""
        height, width = image.shape[2:]
        shifts = shift_ranges(height, width, self.translation)
        return [(0, 2), (0, 4), *shifts, (0, 2), *corner_ranges(height, width, self.cutout)]


def _whole(ranges: Sequence[tuple[float, float]], batch: int, rng: torch.Generator) -> Tensor:
    """Whole numbers, uniform in each range without its end: float64 [batch, ranges]."""
    low, high = torch.tensor(ranges, dtype=torch.float64, device="cpu").unbind(1)
    uniform = torch.rand(batch, len(ranges), generator=rng, dtype=torch.float64, device="cpu")
    return torch.lerp(low, high, uniform).floor()
