"""A trained generator as something to draw images from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import index

import torch
from torch import Tensor, nn

from ganblocks import evenly
from ganblocks.errors import UsageError
from ganblocks.training.batch_statistics import Inputs, buffers_restored, estimate
from ganblocks.training.classes import checked, class_number
from ganblocks.training.latents import RESAMPLE, labels, latents, latents_at
from ganblocks.values import ImageSpec

BATCH = 16
"""Images per forward. Rounding depends on how many there are and on a sample's place among them: both are always the same."""

Wanted = int | str | Sequence[int | str] | None
"""One class for all, one per image, by number or name; or None: drawn uniformly."""

__all__ = ["BATCH", "RESAMPLE", "Sampler", "Wanted"]


class Sampler:
    """A generator in evaluation mode, with what is needed to draw from it.

    A sample is a function of the seed and of its index alone: however many are drawn, and from whichever index on, sample 3 is
    the same image, bit for bit, on the same machine with the same number of threads.

    Args:
        network: forward(z [B, Z], label | None) -> image [B, C, H, W] in [-1, 1].
        latent: Z.
        image: what the images are, with the names of their classes where they are known.
        class_counts: training images of each class; empty where they are not known.
    """

    def __init__(self, network: nn.Module, latent: int, image: ImageSpec, class_counts: tuple[int, ...] = ()) -> None:
        self.network, self.latent, self.image = network.eval(), latent, image
        self.class_counts = class_counts

    def sample(
        self,
        n: int,
        classes: Wanted = None,
        seed: int = 0,
        truncation: float | None = None,
        batch: int = BATCH,
        convention: str = RESAMPLE,
        start: int = 0,
    ) -> Tensor:
        """Draw ``n`` images [n, C, H, W] in [-1, 1], on the processor.

        Args:
            n: how many.
            classes: one class for all, one per image, by number or name; or None: drawn uniformly.
            seed: equal seeds give equal images.
            truncation: τ of the truncation trick (BigGAN, arXiv:1809.11096, section 3.1): fewer oddities, less variety. None:
                uncut.
            batch: images per forward; another number rounds otherwise.
            convention: what τ means; see :func:`ganblocks.training.latents.latents`.
            start: index of the first: samples ``start`` to ``start + n`` - 1 of the seed.
        """
        return torch.cat([image for image, _ in self.stream(n, classes, seed, truncation, batch, convention, start)])

    def stream(
        self,
        n: int,
        classes: Wanted = None,
        seed: int = 0,
        truncation: float | None = None,
        batch: int = BATCH,
        convention: str = RESAMPLE,
        start: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """The images and labels of :meth:`sample`, a batch at a time: memory does not grow with ``n``.

        The batches are whole, and begin at multiples of their size; what was not asked for is drawn and left out.
        """
        with self.normalised_for(truncation, convention):
            yield from self._stream(n, classes, seed, truncation, batch, convention, start)

    def _stream(
        self, n: int, classes: Wanted, seed: int, truncation: float | None, batch: int, convention: str, start: int
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        given = None if classes is None else self._labels(n, classes, seed, start)
        for begin in range(start - start % batch, start + n, batch):
            first, last = max(begin, start), min(begin + batch, start + n)
            part = slice(first - begin, last - begin)
            latent, label = self.inputs(batch, None, seed, truncation, convention, begin)
            if given is not None and label is not None:
                label[part] = given[first - start : last - start]
            yield self.draw(latent, label, batch)[part], None if label is None else label[part]

    @contextmanager
    def normalised_for(self, truncation: float | None, convention: str = RESAMPLE) -> Iterator[None]:
        """Within it running statistics of batch norms are those of latents that are cut so; without truncation, as they are."""
        if truncation is None:
            yield
            return
        with buffers_restored(self.network):
            estimate(self.network, self.representative(truncation, convention))
            yield

    def representative(self, truncation: float | None = None, convention: str = RESAMPLE, seed: int = 0) -> Inputs:
        """Return what :func:`batch_statistics.estimate` takes: latents that are cut so, and classes by their shares."""
        device = next(self.network.parameters()).device

        def inputs(n: int) -> tuple[Tensor, Tensor | None]:
            latent = latents_at(evenly.uniform(n, self.latent, seed), truncation, convention)
            return latent.to(device), self._representative_labels(n, seed).to(device) if self.image.classes else None

        return inputs

    def _representative_labels(self, n: int, seed: int) -> Tensor:
        classes = torch.arange(self.image.classes)
        among = torch.repeat_interleave(classes, torch.tensor(self.class_counts)) if any(self.class_counts) else classes
        return evenly.labels(n, among, seed)

    def inputs(
        self,
        n: int,
        classes: Wanted = None,
        seed: int = 0,
        truncation: float | None = None,
        convention: str = RESAMPLE,
        start: int = 0,
    ) -> tuple[Tensor, Tensor | None]:
        """The latents [n, Z] and labels [n] of what :meth:`sample` draws."""
        return latents(n, self.latent, seed, truncation, convention, start), self._labels(n, classes, seed, start)

    @torch.no_grad()
    def draw(self, latent: Tensor, label: Tensor | None, batch: int = 64) -> Tensor:
        """The images of given latents [n, Z] and labels [n], on the processor, ``batch`` at a time."""
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

    def _labels(self, n: int, classes: Wanted, seed: int, start: int) -> Tensor | None:
        if not self.image.classes:
            if classes is not None:
                raise UsageError("this generator has no classes: leave the class out")
            return None
        if classes is None:
            return labels(n, self.image.classes, seed, start)
        if isinstance(classes, int | str):
            return torch.full((n,), self._number(classes))
        label = torch.tensor([self._number(each) for each in classes], dtype=torch.int64)
        if len(label) != n:
            raise UsageError(f"{len(label)} classes for {n} images: give one class, or one per image")
        return label

    def _number(self, which: int | str) -> int:
        return class_number(which, self.image) if isinstance(which, str) else checked(index(which), self.image)
