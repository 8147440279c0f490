"""Metrics of nearest neighbours: fidelity and diversity as two numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import Checked, DataError, Facts, Sample, option
from ganblocks_metrics.checking import check_features
from ganblocks_metrics.neighbours import distances, reach_of, reach_of_real


@frozen(kw_only=True)
class PrecisionRecall(Checked):
    """Precision: the share of fakes within reach of a real image. Recall: the share of real images within reach of a fake.

    The reach of an image is the distance to its k-th nearest neighbour of its own kind.

    Use it to separate what one distance mixes: implausible samples (low precision) and missing variety (low recall). One
    outlier among the real images has a wide reach; ``density_coverage`` is more robust against it.

    Source: Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric for Assessing Generative Models",
    arXiv:1904.06991, section 2.

    Options:
        neighbours: k.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"precision": "higher", "recall": "higher"}

    neighbours: int = option(3, low=1)

    def check(self, facts: Facts) -> Iterator[str]:
        """Yield a sentence if there are too few images."""
        return _too_few(facts.real, facts.fake, self.neighbours)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``precision`` and ``recall`` of features [n, D]."""
        one, two = _centred(*check_features(real.features, fake.features), self.neighbours)
        reach, mine = reach_of_real(real.features, one, self.neighbours), reach_of(two, self.neighbours)
        plausible, covered = torch.zeros(len(two), dtype=torch.bool), []
        for part, distance in distances(one, two):
            plausible |= (distance <= reach[part, None]).any(0)
            covered.append((distance <= mine).any(1))
        return {"precision": _mean(plausible), "recall": _mean(torch.cat(covered))}


@frozen(kw_only=True)
class DensityCoverage(Checked):
    """Density: how many real images reach each fake, over k. Coverage: the share of real images that reach at least one fake.

    Both are robust against outliers, unlike precision and recall. For equal distributions density is 1, and coverage about
    1 - 2⁻ᵏ.

    Use it like ``precision_recall``, where real images have outliers, or where two generators are both near the optimum.

    Source: Naeem et al. (2020), "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv:2002.09797, section 3.

    Options:
        neighbours: k.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"density": "higher", "coverage": "higher"}

    neighbours: int = option(5, low=1)

    def check(self, facts: Facts) -> Iterator[str]:
        """Yield a sentence if there are too few images."""
        return _too_few(facts.real, facts.fake, self.neighbours)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``density`` and ``coverage`` of features [n, D]."""
        one, two = _centred(*check_features(real.features, fake.features), self.neighbours)
        reach = reach_of_real(real.features, one, self.neighbours)
        within = [distance < reach[part, None] for part, distance in distances(one, two)]
        pairs = sum(int(part.sum()) for part in within)
        covered = torch.cat([part.any(1) for part in within])
        return {"density": pairs / (len(two) * self.neighbours), "coverage": _mean(covered)}


def _too_few(real: int | None, fake: int | None, neighbours: int) -> Iterator[str]:
    """Yield a sentence if there are too few images; None: the number is not known."""
    least = min(count for count in (real, fake, neighbours + 1) if count is not None)
    if least <= neighbours:
        fewer = f", or set neighbours = {least - 1} at most" if least > 1 else ""
        yield f"{least} images have no {neighbours} nearest neighbours each: compare {neighbours + 1} at least{fewer}"


def _mean(share: Tensor) -> float:
    return float(share.double().mean())


def _centred(one: Tensor, two: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Return both [n, D] minus the mean of the first, which keeps distances and loses fewer digits. Raises DataError."""
    for rule in _too_few(len(one), len(two), neighbours):
        raise DataError(rule)
    return one - one.mean(0), two - one.mean(0)
