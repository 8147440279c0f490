"""A trained generator to draw images from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import index

import torch
from torch import Tensor, nn

from ganblocks.errors import UsageError
from ganblocks.quasirandom import stratified_labels, uniform
from ganblocks.training.batch_statistics import Inputs, buffers_restored, estimate_statistics
from ganblocks.training.classes import checked, class_number
from ganblocks.training.latents import RESAMPLE, labels, latents, latents_at
from ganblocks.values import ImageSpec
from ganblocks.weights import shared_weights

BATCH = 16
"""Images per forward. It is fixed because rounding depends on it, and on a sample's position in its batch."""

ClassChoice = int | str | Sequence[int | str] | None
"""One class for all images or one per image, by number or name; None: drawn uniformly."""

__all__ = ["BATCH", "RESAMPLE", "ClassChoice", "Sampler"]


class Sampler:
    """A generator in evaluation mode, and how to sample from it.

    A sample depends on the seed and its index alone: sample 3 is the same image, bit for bit, however many are drawn and from
    whichever index on, on the same machine with the same number of threads.

    Args:
        network: forward(z [B, Z], label | None) -> image [B, C, H, W] in [-1, 1].
        latent: Z.
        image: size, channels and classes of the images, with class names if known.
        class_counts: training images of each class; empty if unknown.
    """

    def __init__(self, network: nn.Module, latent: int, image: ImageSpec, class_counts: tuple[int, ...] = ()) -> None:
        self.network, self.latent, self.image = network.eval(), latent, image
        self.class_counts = class_counts

    def sample(
        self,
        n: int,
        classes: ClassChoice = None,
        seed: int = 0,
        truncation: float | None = None,
        batch: int = BATCH,
        convention: str = RESAMPLE,
        start: int = 0,
    ) -> Tensor:
        """Draw ``n`` images [n, C, H, W] in [-1, 1], on the CPU.

        Args:
            n: number of images.
            classes: one class for all or one per image, by number or name; None: drawn uniformly.
            seed: equal seeds give equal images.
            truncation: τ of the truncation trick (BigGAN, arXiv:1809.11096, section 3.1): higher fidelity, less variety. None:
                no truncation.
            batch: images per forward; another number rounds differently.
            convention: what τ means; see :func:`ganblocks.training.latents.latents`.
            start: index of the first image.
        """
        return torch.cat([image for image, _ in self.stream(n, classes, seed, truncation, batch, convention, start)])

    def stream(
        self,
        n: int,
        classes: ClassChoice = None,
        seed: int = 0,
        truncation: float | None = None,
        batch: int = BATCH,
        convention: str = RESAMPLE,
        start: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the images [B, C, H, W] and labels [B] of :meth:`sample` batch by batch; memory does not grow with ``n``.

        Batches begin at multiples of their size and are generated whole; images outside the range are dropped.
        """
        given = None if classes is None else self._labels(n, classes, seed, start)
        with self.statistics_for(truncation, convention), shared_weights(self.network):
            for begin in range(start - start % batch, start + n, batch):
                first, last = max(begin, start), min(begin + batch, start + n)
                part = slice(first - begin, last - begin)
                latent, label = self.inputs(batch, None, seed, truncation, convention, begin)
                if given is not None and label is not None:
                    label[part] = given[first - start : last - start]
                yield self.draw(latent, label, batch)[part], None if label is None else label[part]

    @contextmanager
    def statistics_for(self, truncation: float | None, convention: str = RESAMPLE) -> Iterator[None]:
        """Within the block, use batch-norm statistics of latents truncated so; without truncation the network is unchanged."""
        if truncation is None:
            yield
            return
        with buffers_restored(self.network):
            estimate_statistics(self.network, self.representative(truncation, convention))
            yield

    def representative(self, truncation: float | None = None, convention: str = RESAMPLE, seed: int = 0) -> Inputs:
        """Return n -> quasi-random latents [n, Z] with this truncation and labels [n] | None by class frequency."""
        device = next(self.network.parameters()).device

        def inputs(n: int) -> tuple[Tensor, Tensor | None]:
            latent = latents_at(uniform(n, self.latent, seed), truncation, convention)
            return latent.to(device), self._representative_labels(n, seed).to(device) if self.image.classes else None

        return inputs

    def _representative_labels(self, n: int, seed: int) -> Tensor:
        classes = torch.arange(self.image.classes)
        population = torch.repeat_interleave(classes, torch.tensor(self.class_counts)) if any(self.class_counts) else classes
        return stratified_labels(n, population, seed)

    def inputs(
        self,
        n: int,
        classes: ClassChoice = None,
        seed: int = 0,
        truncation: float | None = None,
        convention: str = RESAMPLE,
        start: int = 0,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the latents [n, Z] and labels [n] of :meth:`sample`."""
        return latents(n, self.latent, seed, truncation, convention, start), self._labels(n, classes, seed, start)

    @torch.no_grad()
    def draw(self, latent: Tensor, label: Tensor | None, batch: int = 64) -> Tensor:
        """Return the images [n, C, H, W] of latents [n, Z] and labels [n], on the CPU, ``batch`` per forward."""
        parts = []
        with shared_weights(self.network):
            for start in range(0, len(latent), batch):
                part = slice(start, start + batch)
                parts.append(self.generate(latent[part], None if label is None else label[part]).cpu())
        return torch.cat(parts)

    def generate(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Return images [B, C, H, W] of latents [B, Z] on the network's device, differentiable in the latents."""
        device = next(self.network.parameters()).device
        image: Tensor = self.network(latent.to(device), None if label is None else label.to(device))
        return image.float()

    def _labels(self, n: int, classes: ClassChoice, seed: int, start: int) -> Tensor | None:
        if not self.image.classes:
            if classes is not None:
                raise UsageError("this generator has no classes: leave the class out")
            return None
        if classes is None:
            return labels(n, self.image.classes, seed, start)
        if isinstance(classes, int | str):
            return torch.full((n,), self._number(classes))
        label = torch.tensor([self._number(name) for name in classes], dtype=torch.int64)
        if len(label) != n:
            raise UsageError(f"{len(label)} classes for {n} images: give one class, or one per image")
        return label

    def _number(self, name: int | str) -> int:
        return class_number(name, self.image) if isinstance(name, str) else checked(index(name), self.image)
