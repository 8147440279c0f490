"""Metric: a number that compares made images with real ones, or tells of the generator that made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from ganblocks.values import Sample


class Metric(Protocol):
    """Compares two samples of features; knows nothing of networks, files or where the features come from.

    One that looks into the generator instead inherits ``ExaminesGenerator``.
    """

    reads: ClassVar[frozenset[str]]
    """What it needs of a sample: "features", "logits", "labels"."""
    better: ClassVar[Mapping[str, str]]
    """The numbers that lead: short name -> "higher" or "lower"."""

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Short name -> number, computed in float64. Equal samples and seeds give equal numbers.

        Raises ``DataError`` for features that are not finite or not alike, and for fewer samples than it needs.
        """
        ...
