"""A trained generator as something to draw images from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganblocks.errors import UsageError
from ganblocks.values import ImageSpec, seed_of


class Sampler:
    """A generator in evaluation mode, with what is needed to draw from it.

    Args:
        network: forward(z [B, Z], label | None) -> image [B, C, H, W] in [-1, 1].
        latent: Z.
        image: what the images are.
    """

    def __init__(self, network: nn.Module, latent: int, image: ImageSpec) -> None:
        self.network, self.latent, self.image = network.eval(), latent, image

    def sample(
        self,
        n: int,
        classes: int | Sequence[int] | None = None,
        seed: int = 0,
        truncation: float | None = None,
        batch: int = 64,
    ) -> Tensor:
        """Draw ``n`` images [n, C, H, W] in [-1, 1], on the processor.

        Args:
            n: how many.
            classes: one class for all, one per image, or None: drawn uniformly.
            seed: equal seeds give equal images.
            truncation: draw every coordinate of z from the standard normal cut to [-truncation, truncation] (the truncation
                trick in BigGAN's own sense, arXiv:1809.11096, section 3.1): fewer oddities, less variety. None: uncut.
            batch: images per forward.
        """
        rng = torch.Generator().manual_seed(seed_of(seed, "sample"))
        latent = latents(n, self.latent, rng, truncation)
        return self.draw(latent, self._labels(n, classes, rng), batch)

    @torch.no_grad()
    def draw(self, latent: Tensor, label: Tensor | None, batch: int = 64) -> Tensor:
        """The images of given latents [n, Z] and labels [n], on the processor."""
        device = next(self.network.parameters()).device
        parts = []
        for start in range(0, len(latent), batch):
            part = slice(start, start + batch)
            labels = None if label is None else label[part].to(device)
            parts.append(self.network(latent[part].to(device), labels).float().cpu())
        return torch.cat(parts)

    def _labels(self, n: int, classes: int | Sequence[int] | None, rng: torch.Generator) -> Tensor | None:
        count = self.image.classes
        if not count:
            if classes is not None:
                raise UsageError("this generator has no classes: leave the class out")
            return None
        if classes is None:
            return torch.randint(count, (n,), generator=rng)
        label = torch.full((n,), classes) if isinstance(classes, int) else torch.tensor(list(classes))
        if len(label) != n:
            raise UsageError(f"{len(label)} classes for {n} images: give one class, or one per image")
        if wrong := [int(k) for k in label if not 0 <= k < count]:
            raise UsageError(f"no class {wrong[0]}: this generator has classes 0 to {count - 1}{self._names()}")
        return label

    def _names(self) -> str:
        names = self.image.class_names[:20]
        return " (" + ", ".join(f"{i} {name}" for i, name in enumerate(names)) + ")" if names else ""


def latents(n: int, size: int, rng: torch.Generator, truncation: float | None = None) -> Tensor:
    """Standard normal latents [n, size]; with ``truncation`` τ each coordinate is resampled until it lies in [-τ, τ].

    Resampling is done by inverting the normal distribution function between its values at -τ and τ.
    """
    if truncation is None:
        return torch.randn(n, size, generator=rng)
    if not truncation > 0:
        raise UsageError(f"truncation must be above 0, got {truncation:g}")
    bound = torch.tensor(truncation, dtype=torch.float64)
    low, high = torch.special.ndtr(-bound), torch.special.ndtr(bound)
    uniform = torch.rand(n, size, generator=rng, dtype=torch.float64)
    cut: Tensor = torch.special.ndtri(low + (high - low) * uniform)
    return cut.clamp(-truncation, truncation).float()
