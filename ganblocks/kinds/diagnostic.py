"""Diagnostic: numbers about the generator itself, from calls of it instead of from features of its samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    Generate = Callable[[Tensor, Tensor | None], Tensor]


class Diagnostic(Protocol):
    """Examines a generator, such as how much its images change with the latent. It needs no real images and no extractor."""

    better: ClassVar[Mapping[str, str]]
    """The leading numbers: short name -> "higher" or "lower"."""

    def examine(self, generate: Generate, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        """Return short name -> number, and leave the generator unchanged. Equal seeds give equal numbers.

        Args:
            generate: (z [B, Z], label int64 [B] | None) -> image [B, C, H, W], in evaluation mode, differentiable in z by both
                modes of automatic differentiation as far as the network is; no image depends on the rest of its batch.
            latent: [n, Z], on the CPU: the latents of the samples in the same evaluation.
            label: int64 [n], where the images have classes.
            seed: of any other random numbers.

        Raises ``DataError`` for images that are not finite.
        """
        ...
