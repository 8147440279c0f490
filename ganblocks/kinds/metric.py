"""Metric: a number that compares generated images with real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from ganblocks.values import Sample


class Metric(Protocol):
    """Compares two samples of features; knows nothing of networks, files or the extractor of the features."""

    reads: ClassVar[frozenset[str]]
    """The parts of a sample that it needs: "features", "logits", "labels"."""
    better: ClassVar[Mapping[str, str]]
    """The leading numbers: short name -> "higher" or "lower"."""

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return short name -> number, computed in float64. Equal samples and seeds give equal numbers.

        Raises ``DataError`` for features that are not finite or of unequal width, and for too few samples.
        """
        ...
