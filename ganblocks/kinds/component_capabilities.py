"""What a component can do beside the contract of its kind: inherited explicitly, found in the class, never guessed from attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganblocks.values import (
        ClassCount,
        Facts,
        Finding,
        Sample,
    )

    Generate = Callable[[Tensor, Tensor | None], Tensor]


class CouplesSamples:
    """A component whose value for a batch is not the mean of those for its parts, because it compares samples with each other.

    Smaller microbatches make another objective of it, and not only another order of the same sum. (A module whose forward mixes
    samples inherits ``MixesSamples``.)
    """


class DifferentiatesTwice:
    """An update rule that takes gradients of gradients (consensus): every site is told ``twice_differentiable``."""


class ReadsForeign:
    """A network's component that knows how other frameworks name the weights of the same network."""

    layouts: ClassVar[tuple[str, ...]]
    """Names of the layouts that it knows."""

    def from_foreign(self, layout: str, network: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The whole state of ``network``, which this component built, from theirs. Raises KeyError, naming what is missing."""
        raise NotImplementedError


class JudgesAlone:
    """A metric that reads something off made images without comparing them to real ones (whether two halves agree)."""


class ExaminesGenerator:
    """A metric that looks into the generator instead of at its samples (how much images turn with the latent)."""

    reads: ClassVar[frozenset[str]] = frozenset()
    better: ClassVar[Mapping[str, str]]

    def examine(self, generate: Generate, latent: Tensor, label: Tensor | None, seed: int) -> dict[str, float]:
        """Short name -> number; called instead of ``score``.

        Args:
            generate: (z [B, Z], label int64 [B] | None) -> image [B, C, H, W], in evaluation, differentiable in z by both modes
                of automatic differentiation as far as the network is; a sample's image does not depend on the others.
            latent: [n, Z], on the processor: what the samples of the same evaluation are made from.
            label: int64 [n], where the images have classes.
            seed: of whatever else is drawn. Equal seeds give equal numbers.

        Raises ``DataError`` for images that are not finite. The generator stays as it is.
        """
        raise NotImplementedError

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Not for samples."""
        raise NotImplementedError(f"{type(self).__name__} examines a generator, not samples: call examine")


class Inspects:
    """A data set whose files are somebody's own, and may be broken: it can look at all of them before a run does."""

    def inspect(self) -> Iterable[Finding]:
        """All that is wrong or doubtful, at once, whatever the data is. What ``open`` refuses is fatal."""
        raise NotImplementedError

    def count(self) -> Sequence[ClassCount]:
        """The classes in the order of their numbers, with their training images, as far as names of files tell."""
        return ()

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The data set that files at ``path`` suggest, for a look without a recipe; None where they suggest none."""
        return None


class Checked:
    """A component that knows combinations that cannot work."""

    def check(self, facts: Facts) -> Iterable[str]:
        """One sentence per complaint: what is wrong, and what to use instead."""
        raise NotImplementedError
