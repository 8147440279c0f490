"""What a component can do beside the contract of its kind: inherited explicitly, never guessed from attributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganblocks.values import (
        ClassCount,
        Facts,
        Finding,
    )


class CouplesSamples:
    """A component that compares the samples of a batch, so that its value is not the mean over parts of the batch.

    Smaller microbatches change its objective. (A module whose forward mixes samples inherits ``MixesSamples``.)
    """


class DifferentiatesTwice:
    """An update rule that takes gradients of gradients (consensus): every site has ``twice_differentiable`` set."""


class ReadsForeign:
    """A network's component that knows how other frameworks name the weights of the same network."""

    layouts: ClassVar[tuple[str, ...]]
    """Names of the layouts that it knows."""

    def from_foreign(self, layout: str, network: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the whole state of ``network``, which this component built, from theirs (tensors of any shape).

        Raises KeyError, naming what is missing.
        """
        raise NotImplementedError


class ReferenceFree:
    """A metric that reads its numbers off generated images alone, without comparing them with real ones."""


class ClassicNames:
    """A metric whose numbers have other names in papers, if the extractor's weights are those that papers use."""

    classic_names: ClassVar[Mapping[str, str]]
    """Short name -> the name in papers, such as ``fd`` -> ``fid``."""


class ClassicWeights:
    """An extractor with the weights that define FID, KID and the inception score: metrics get their :class:`ClassicNames`."""


class Inspects:
    """A data set of the user's own files, which may be broken: it can check all of them before a run."""

    def inspect(self) -> Iterable[Finding]:
        """Return all errors and doubtful findings at once. What ``open`` refuses is fatal."""
        raise NotImplementedError

    def count(self) -> Sequence[ClassCount]:
        """Return the classes in order of their numbers, with their training images as far as file names tell."""
        return ()

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """Return the data set that the files at ``path`` suggest, for a check without a recipe; None if they suggest none."""
        return None


class Checked:
    """A component that knows combinations that cannot work."""

    def check(self, facts: Facts) -> Iterable[str]:
        """Return one sentence per mistake: what is wrong, and what to use instead."""
        raise NotImplementedError
