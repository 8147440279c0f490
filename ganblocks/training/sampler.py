"""A trained generator as something to draw images from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganblocks.errors import UsageError
from ganblocks.values import ImageSpec, seed_of

RESAMPLE = "resample"
CONVENTIONS = (RESAMPLE, "scaled_resample", "std")
"""What a truncation of τ can mean; see :func:`latents`."""


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
        convention: str = RESAMPLE,
    ) -> Tensor:
        """Draw ``n`` images [n, C, H, W] in [-1, 1], on the processor.

        Args:
            n: how many.
            classes: one class for all, one per image, or None: drawn uniformly.
            seed: equal seeds give equal images.
            truncation: τ of the truncation trick (BigGAN, arXiv:1809.11096, section 3.1): fewer oddities, less variety. None:
                uncut.
            batch: images per forward.
            convention: what τ means; see :func:`latents`.
        """
        return self.draw(*self.inputs(n, classes, seed, truncation, convention), batch)

    def inputs(
        self,
        n: int,
        classes: int | Sequence[int] | None = None,
        seed: int = 0,
        truncation: float | None = None,
        convention: str = RESAMPLE,
    ) -> tuple[Tensor, Tensor | None]:
        """The latents [n, Z] and labels [n] of what :meth:`sample` draws."""
        rng = torch.Generator().manual_seed(seed_of(seed, "sample"))
        latent = latents(n, self.latent, rng, truncation, convention)
        return latent, self._labels(n, classes, rng)

    @torch.no_grad()
    def draw(self, latent: Tensor, label: Tensor | None, batch: int = 64) -> Tensor:
        """The images of given latents [n, Z] and labels [n], on the processor."""
        parts = []
        for start in range(0, len(latent), batch):
            part = slice(start, start + batch)
            parts.append(self.generate(latent[part], None if label is None else label[part]).cpu())
        return torch.cat(parts)

    def generate(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """The images of one batch, on the network's device, as a differentiable function of the latents."""
        device = next(self.network.parameters()).device
        image: Tensor = self.network(latent.to(device), None if label is None else label.to(device))
        return image.float()

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


def latents(n: int, size: int, rng: torch.Generator, truncation: float | None = None, convention: str = RESAMPLE) -> Tensor:
    """Standard normal latents [n, size], or truncated ones, where three conventions give τ three meanings.

    Args:
        n: how many.
        size: Z.
        rng: the only source of randomness.
        truncation: τ; None for no truncation.
        convention: ``"resample"`` draws each coordinate again until it lies in [-τ, τ] (the paper's text);
            ``"scaled_resample"`` until it lies in [-2, 2], times τ (the generators that its authors published);
            ``"std"`` multiplies by τ and cuts nothing (the PyTorch code of its first author).
    """
    if convention not in CONVENTIONS:
        raise UsageError(f"no convention of truncation {convention!r}: {', '.join(CONVENTIONS)}")
    if truncation is None:
        if convention != RESAMPLE:
            raise UsageError(f"{convention} says how to truncate, but there is no truncation: give one, such as 0.7")
        return torch.randn(n, size, generator=rng)
    if not truncation > 0:
        raise UsageError(f"truncation must be above 0, got {truncation:g}")
    if convention == RESAMPLE:
        return _cut(n, size, rng, truncation)
    return truncation * (_cut(n, size, rng, 2.0) if convention == "scaled_resample" else torch.randn(n, size, generator=rng))


def _cut(n: int, size: int, rng: torch.Generator, bound: float) -> Tensor:
    """[n, size] from the standard normal cut to [-bound, bound].

    Resampling is done by inverting the normal distribution function between its values there.
    """
    edge = torch.tensor(bound, dtype=torch.float64)
    low, high = torch.special.ndtr(-edge), torch.special.ndtr(edge)
    uniform = torch.rand(n, size, generator=rng, dtype=torch.float64)
    cut: Tensor = torch.special.ndtri(low + (high - low) * uniform)
    return cut.clamp(-bound, bound).float()
