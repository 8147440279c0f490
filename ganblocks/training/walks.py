"""Walks: images between samples, and between classes.

The samples at the ends of a walk are the images of the same seed and index, bit for bit. Images between them follow from the
two ends and the number of images alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from attrs import frozen
from torch import Tensor

from ganblocks.class_mixtures import class_weights
from ganblocks.errors import UsageError
from ganblocks.training.class_mixing import refuse_unmixable
from ganblocks.training.sampler import BATCH, RESAMPLE, ClassChoice, Sampler
from ganblocks.training.slerp import slerp


@frozen(kw_only=True)
class Walk:
    """Which samples a walk goes through, and in how many images.

    Attributes:
        n: number of samples.
        frames: images from one end to the other, both included; 3 or more.
        seed: the samples' seed.
        start: index of the first sample.
        truncation: τ of the samples; None: no truncation. Between them a coordinate may exceed it.
        convention: what τ means; see :func:`ganblocks.training.latents.latents`.

    """

    n: int
    frames: int
    seed: int = 0
    start: int = 0
    truncation: float | None = None
    convention: str = RESAMPLE


@frozen
class _Ends:
    """Samples at the ends of walks: images [n, C, H, W], latents [n, Z] and labels int64 [n] | None."""

    images: Tensor
    latent: Tensor
    label: Tensor | None


def between_samples(sampler: Sampler, walk: Walk, classes: ClassChoice = None, closed: bool = False) -> Iterator[Tensor]:
    """Yield for each sample but the last the images [frames, C, H, W] from it to the next.

    Latents go along the arc between the two (:func:`slerp`), and weights of classes along the straight line.

    Args:
        sampler: the generator.
        walk: the samples.
        classes: one class for all or one per sample; None: each has its own.
        closed: whether the walk also goes from the last sample to the first.

    Raises:
        UsageError: a single sample, or samples of several classes and a generator that takes no mixture of classes.

    """
    if walk.n < 2:
        raise UsageError("a walk from sample to sample needs 2 samples or more, and this is 1")
    ends = _ends(sampler, walk, classes)
    pairs = [(i, i + 1) for i in range(walk.n - 1)] + [(walk.n - 1, 0)] * closed
    if ends.label is not None and (ends.label != ends.label[0]).any():
        _refuse(sampler, ends)
    with sampler.statistics_for(walk.truncation, walk.convention):
        for i, j in pairs:
            yield _row(sampler, walk.frames, (ends, i), (ends, j))


def between_classes(sampler: Sampler, walk: Walk, first: int | str, last: int | str) -> Iterator[Tensor]:
    """Yield for each sample the images [frames, C, H, W] of its latent from one class to another.

    Raises:
        UsageError: there is no such class, or the generator takes no mixture of classes.

    """
    one, other = _ends(sampler, walk, first), _ends(sampler, walk, last)
    _refuse(sampler, one)
    with sampler.statistics_for(walk.truncation, walk.convention):
        for i in range(walk.n):
            yield _row(sampler, walk.frames, (one, i), (other, i))


def _ends(sampler: Sampler, walk: Walk, classes: ClassChoice) -> _Ends:
    images = sampler.sample(walk.n, classes, walk.seed, walk.truncation, BATCH, walk.convention, walk.start)
    return _Ends(images, *sampler.inputs(walk.n, classes, walk.seed, walk.truncation, walk.convention, walk.start))


def _refuse(sampler: Sampler, ends: _Ends) -> None:
    """Raise UsageError if the generator takes no mixture of classes."""
    device = next(sampler.network.parameters()).device
    assert ends.label is not None, "labels of several classes"
    refuse_unmixable(sampler.network, ends.latent[:1].to(device), ends.label[:1].to(device))


def _row(sampler: Sampler, frames: int, first: tuple[_Ends, int], last: tuple[_Ends, int]) -> Tensor:
    """Return the images [frames, C, H, W] from one sample to another: both, and those between them."""
    (one, i), (other, j) = first, last
    t = torch.linspace(0, 1, frames, dtype=torch.float64)[1:-1]
    latent = slerp(one.latent[i], other.latent[j], t)
    images = sampler.draw(latent, _labels(sampler, t, one.label, i, other.label, j), BATCH)
    return torch.cat([one.images[i, None], images, other.images[j, None]])


def _labels(sampler: Sampler, t: Tensor, one: Tensor | None, i: int, other: Tensor | None, j: int) -> Tensor | None:
    """Return labels int64 [T] between two samples of one class, and else weights [T, K] at ``t`` [T]; None without classes."""
    if one is None or other is None:
        return None
    if one[i] == other[j]:
        return one[i].expand(len(t))
    ends = class_weights(torch.stack([one[i], other[j]]), sampler.image.classes, torch.float64)
    return torch.lerp(ends[0], ends[1], t[:, None]).float()
