"""Fréchet distances between Gaussians that have the mean and covariance of two sets of features. All in float64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor

from ganblocks import Checked, Facts, Sample
from ganblocks_metrics.checking import checked


@frozen(eq=False)
class Moments:
    """How many, their mean [D], and the sum of squares about it [D, D]: what two halves of a set add up to."""

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """The moments of features [n, D], n at least 1."""
        values = features.double()
        centred = values - values.mean(0)
        return cls(len(values), values.mean(0), centred.mT @ centred)

    @classmethod
    def streamed(cls, parts: Iterable[Tensor]) -> Moments:
        """The moments of all parts together, one in memory at a time."""
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
    """|m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁C₂)^½), whose last trace is that of (A C₂ A)^½ with A = C₁^½.

    Symmetric eigenvalues only; those below 0 are rounding, and count as 0. A tiny negative result (above -1e-3 of the traces)
    is rounding too, and is returned as it is: clipping it would hide how exact the number is.
    """
    gap = one.mean - two.mean
    first, second = one.covariance, two.covariance
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.mT
    product = root @ second @ root
    cross = torch.linalg.eigvalsh((product + product.mT) / 2).clamp(min=0).sqrt().sum()
    return float(gap.square().sum() + first.trace() + second.trace() - 2 * cross)


@frozen(kw_only=True)
class Frechet:
    """The Fréchet distance between real and fake features. With Inception-2015 features it is what papers call FID.

    Biased: with n images of each it is too large by roughly the same amount over n, so compare at equal n only.

    Use it for comparison with papers, at their number of images; where images are few, ``kernel`` is unbiased.

    Source: Heusel et al. (2017), "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    arXiv:1706.08500, equation 6; Dowson and Landau (1982), "The Fréchet distance between multivariate normal distributions",
    doi:10.1016/0047-259X(82)90077-X.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features"})
    better: ClassVar[dict[str, str]] = {"fd": "lower"}

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        one, two = checked(real.features, fake.features)
        return {"fd": frechet_distance(Moments.of(one), Moments.of(two))}


@frozen(kw_only=True)
class FrechetPerClass(Checked):
    """The mean over classes of the Fréchet distance between the real and the fake images of a class (intra-class FID).

    With few images per class it is mostly bias.

    Use it to see whether images fit their classes, where a class has many more images than features have dimensions.

    Source: Miyato and Koyama (2018), "cGANs with Projection Discriminator", arXiv:1802.05637, section 4.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"features", "labels"})
    better: ClassVar[dict[str, str]] = {"intra_fd": "lower"}

    def check(self, facts: Facts) -> Iterator[str]:
        least = 2 * facts.image.classes
        if not least:
            yield "compares class by class, and these images have no classes: use frechet"
        elif min(count for count in (facts.real, facts.fake, least) if count is not None) < least:
            yield f"needs 2 images of each of {facts.image.classes} classes: take n = {least} at least, or use frechet"

    def score(self, real: Sample, fake: Sample, seed: int) -> dict[str, float]:
        one, two = checked(real.features, fake.features)
        assert real.labels is not None, "says that it reads labels"
        assert fake.labels is not None, "says that it reads labels"
        distances = []
        for k in torch.unique(real.labels).tolist():
            mine, theirs = checked(one[real.labels == k], two[fake.labels == k], f" of class {k}")
            distances.append(frechet_distance(Moments.of(mine), Moments.of(theirs)))
        return {"intra_fd": sum(distances) / len(distances)}
