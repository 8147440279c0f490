"""Metrics of nearest neighbours: how much of what is made is realistic, and how much of what is real is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from attrs import field, frozen
from attrs.validators import ge, instance_of
from torch import Tensor
from torch_fidelity.metric_prc import prc_features_to_metric

from ganblocks import Checked, DataError, Facts, Sample
from ganblocks_metrics.checking import checked


def _neighbours(default: int) -> Any:
    return field(default=default, validator=[instance_of(int), ge(1)])


@frozen(kw_only=True)
class PrecisionRecall(Checked):
    """Precision: the share of fakes within reach of a real image. Recall: the share of real images within reach of a fake.

    The reach of an image is the distance to its k-th nearest neighbour of its own kind. As torch-fidelity computes them.

    Use it to tell apart what one distance mixes: implausible samples (low precision) and missing variety (low recall). One
    outlier among the real images reaches far; ``density_coverage`` is less moved by it.

    Source: Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric for Assessing Generative Models",
    arXiv:1904.06991, section 2.

    Options:
        neighbours: k.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"precision": "higher", "recall": "higher"}

    neighbours: int = _neighbours(3)

    def check(self, facts: Facts) -> Iterator[str]:
        return _few(facts.real, facts.fake, self.neighbours)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        one, two = _enough(*checked(real.features, fake.features), self.neighbours)
        found = prc_features_to_metric(two, one, prc_neighborhood=self.neighbours, prc_batch_size=10_000, verbose=False)
        return {name: float(found[name]) for name in ("precision", "recall")}


@frozen(kw_only=True)
class DensityCoverage(Checked):
    """Density: how many real images reach each fake, over k. Coverage: the share of real images that reach at least one fake.

    Unlike precision and recall they do not let one outlier's wide reach count for much, and are 1 for equal distributions
    (density), or 1 - 2⁻ᵏ about (coverage).

    Use it as ``precision_recall`` is used, where real images have outliers, or where two generators are both near the top.

    Source: Naeem et al. (2020), "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv:2002.09797, section 3.

    Options:
        neighbours: k.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"density": "higher", "coverage": "higher"}

    neighbours: int = _neighbours(5)

    def check(self, facts: Facts) -> Iterator[str]:
        return _few(facts.real, facts.fake, self.neighbours)

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        one, two = _enough(*checked(real.features, fake.features), self.neighbours)
        reach = torch.cdist(one, one).kthvalue(self.neighbours + 1, dim=1).values  # the nearest is the image itself
        within = torch.cdist(one, two) < reach[:, None]
        return {
            "density": float(within.sum(0).double().mean() / self.neighbours),
            "coverage": float(within.any(1).double().mean()),
        }


def _few(real: int | None, fake: int | None, neighbours: int) -> Iterator[str]:
    """What is wrong with so many images; None: not known."""
    least = min(count for count in (real, fake, neighbours + 1) if count is not None)
    if least <= neighbours:
        fewer = f", or set neighbours = {least - 1} at most" if least > 1 else ""
        yield f"{least} images have no {neighbours} nearest neighbours each: compare {neighbours + 1} at least{fewer}"


def _enough(one: Tensor, two: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """Both, about the mean of the first: distances stay as they are, and lose no digits to what all features share."""
    for complaint in _few(len(one), len(two), neighbours):
        raise DataError(complaint)
    return one - one.mean(0), two - one.mean(0)
