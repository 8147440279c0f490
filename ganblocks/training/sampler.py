"""A trained generator as something to draw images from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganblocks import evenly
from ganblocks.errors import UsageError
from ganblocks.training.batch_statistics import Inputs, estimate, kept
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
        with self.normalised_for(truncation, convention):
            return self.draw(*self.inputs(n, classes, seed, truncation, convention), batch)

    @contextmanager
    def normalised_for(self, truncation: float | None, convention: str = RESAMPLE) -> Iterator[None]:
        """Within it running statistics of batch norms are those of latents that are cut so; without truncation, as they are."""
        with kept(self.network):
            if truncation is not None:
                estimate(self.network, self.representative(truncation, convention))
            yield

    def representative(self, truncation: float | None = None, convention: str = RESAMPLE, seed: int = 0) -> Inputs:
        """Return what :func:`batch_statistics.estimate` takes: latents that are cut so, of all classes, on the device."""
        device = next(self.network.parameters()).device

        def inputs(n: int) -> tuple[Tensor, Tensor | None]:
            latent = latents_at(evenly.uniform(n, self.latent, seed), truncation, convention)
            classes = self.image.classes
            return latent.to(device), evenly.labels(n, torch.arange(classes), seed).to(device) if classes else None

        return inputs

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
    if truncation is None or convention == "std":
        check_truncation(truncation, convention)
        return torch.randn(n, size, generator=rng) * (1.0 if truncation is None else truncation)
    return latents_at(torch.rand(n, size, generator=rng, dtype=torch.float64), truncation, convention)


def latents_at(uniform: Tensor, truncation: float | None = None, convention: str = RESAMPLE) -> Tensor:
    """Return the latents [n, Z], float32, that stand at given places in (0, 1) of the distribution of :func:`latents`.

    Resampling is done by inverting the normal distribution function between its values at the bounds.
    """
    check_truncation(truncation, convention)
    if truncation is None or convention == "std":
        latent: Tensor = torch.special.ndtri(uniform).float()
        return latent * (1.0 if truncation is None else truncation)
    if convention == RESAMPLE:
        return _cut(uniform, truncation)
    return truncation * _cut(uniform, 2.0)


def check_truncation(truncation: float | None, convention: str) -> None:
    """Raise UsageError for what is no truncation."""
    if convention not in CONVENTIONS:
        raise UsageError(f"no convention of truncation {convention!r}: {', '.join(CONVENTIONS)}")
    if truncation is None:
        if convention != RESAMPLE:
            raise UsageError(f"{convention} says how to truncate, but there is no truncation: give one, such as 0.7")
    elif not truncation > 0:
        raise UsageError(f"truncation must be above 0, got {truncation:g}")


def _cut(uniform: Tensor, bound: float) -> Tensor:
    """Places in (0, 1) of the standard normal cut to [-bound, bound]."""
    edge = torch.tensor(bound, dtype=torch.float64)
    low, high = torch.special.ndtr(-edge), torch.special.ndtr(edge)
    cut: Tensor = torch.special.ndtri(low + (high - low) * uniform)
    return cut.clamp(-bound, bound).float()
