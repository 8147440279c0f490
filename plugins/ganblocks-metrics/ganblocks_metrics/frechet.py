"""Fréchet distances between Gaussians with the means and covariances of two sets of features, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import Checked, ClassicNames, Facts, Sample
from ganblocks_metrics.checking import check_features


@frozen(eq=False)
class Moments:
    """Count, mean [D] and scatter about the mean [D, D] of a set of features; those of two sets can be added."""

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Return the moments of features [n, D], n at least 1."""
        values = features.double()
        centred = values - values.mean(0)
        return cls(len(values), values.mean(0), centred.mT @ centred)

    @classmethod
    def streamed(cls, parts: Iterable[Tensor]) -> Moments:
        """Return the moments of the union of parts [n, D], which are read one at a time."""
        total: Moments | None = None
        for part in parts:
            total = cls.of(part) if total is None else total + cls.of(part)
        assert total is not None, "there is at least one part"
        return total

    def __add__(self, other: Moments) -> Moments:
        """Chan, Golub and LeVeque 1979, equation 2.1: exact, and without the cancellation of E[x²] - E[x]²."""
        count = self.count + other.count
        gap = other.mean - self.mean
        mean = self.mean + gap * (other.count / count)
        between = torch.outer(gap, gap) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Tensor:
        """[D, D], unbiased (n - 1)."""
        return self.scatter / (self.count - 1)


def frechet_distance(one: Moments, two: Moments) -> float:
    """Return |m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁C₂)^½), for moments of [D]; the last trace is that of (A C₂ A)^½ with A = C₁^½.

    All eigenvalues are of symmetric matrices; negative ones are rounding errors and count as 0. A slightly negative result is a
    rounding error too, and is not clipped, so that it shows the precision of the number.
    """
    gap = one.mean - two.mean
    first, second = one.covariance, two.covariance
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
    product = root @ second @ root
    cross = torch.linalg.eigvalsh((product + product.mT) / 2).clamp(min=0).sqrt().sum()
    return float(gap.square().sum() + first.trace() + second.trace() - 2 * cross)


def sample_distance(one: Tensor, two: Tensor) -> float:
    """Return :func:`frechet_distance` of the moments of features [n, D] and [m, D] in float64.

    With fewer images than dimensions it needs no covariance: for centred features X and Y, the trace of (C₁C₂)^½ is the sum of
    the singular values of XYᵀ, over ((n - 1)(m - 1))^½.
    """
    if min(len(one), len(two)) >= one.shape[1]:
        return frechet_distance(Moments.of(one), Moments.of(two))
    gap = one.mean(0) - two.mean(0)
    first, second = ((part - part.mean(0)) / math.sqrt(len(part) - 1) for part in (one, two))
    cross = torch.linalg.svdvals(first @ second.mT).sum()
    return float(gap.square().sum() + first.square().sum() + second.square().sum() - 2 * cross)


@frozen(kw_only=True)
class Frechet(ClassicNames):
    """The Fréchet distance between real and fake features. With Inception-2015 features it is the FID of papers.

    Biased by about a constant over n for n images of each: compare at equal n only.

    Use it for comparison with papers, at their number of images; with few images use ``kernel``, which is unbiased.

    Source: Heusel et al. (2017), "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    arXiv:1706.08500, equation 6; Dowson and Landau (1982), "The Fréchet distance between multivariate normal distributions",
    doi:10.1016/0047-259X(82)90077-X.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"fd": "lower"}
    classic_names: ClassVar[dict[str, str]] = {"fd": "fid"}

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``fd`` of features [n, D]."""
        one, two = check_features(real.features, fake.features)
        return {"fd": sample_distance(one, two)}


@frozen(kw_only=True)
class FrechetPerClass(Checked, ClassicNames):
    """The mean over classes of the Fréchet distance between the real and the fake images of a class (intra-class FID).

    With few images per class it is mostly bias.

    Use it to measure whether images fit their classes, if every class has many more images than features have dimensions.

    Source: Miyato and Koyama (2018), "cGANs with Projection Discriminator", arXiv:1802.05637, section 4.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features", "labels"})
    better: ClassVar[dict[str, str]] = {"intra_fd": "lower"}
    classic_names: ClassVar[dict[str, str]] = {"intra_fd": "intra_fid"}

    def check(self, facts: Facts) -> Iterator[str]:
        """Yield a sentence if there are no classes, or too few images of each."""
        least = 2 * facts.image.classes
        if not least:
            yield "compares class by class, and these images have no classes: use frechet"
        elif min(count for count in (facts.real, facts.fake, least) if count is not None) < least:
            yield f"needs 2 images of each of {facts.image.classes} classes: take n = {least} at least, or use frechet"

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        """Return ``intra_fd`` of features [n, D] and labels [n]."""
        one, two = check_features(real.features, fake.features)
        assert real.labels is not None, "the class states that it reads labels"
        assert fake.labels is not None, "the class states that it reads labels"
        distances = []
        for k in torch.unique(real.labels).tolist():
            mine, theirs = check_features(one[real.labels == k], two[fake.labels == k], f" of class {k}")
            distances.append(sample_distance(mine, theirs))
        return {"intra_fd": sum(distances) / len(distances)}
