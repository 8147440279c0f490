"""Batch norm."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen
from attrs.validators import gt, instance_of, le
from torch import Tensor, nn

from ganblocks import Checked, Facts, MixesSamples, Site


@frozen(kw_only=True)
class Batch(Checked):
    """Normalise each channel over the batch and all positions, then scale and shift it.

    y = gain · (x - mean) / sqrt(var + eps) + bias, with the batch's statistics in training and running ones in evaluation:
    running ← (1 - momentum) · running + momentum · batch, where the variance is the unbiased one. It is torch's own layer.

    Use it in generators without classes, and in both networks of DCGAN. Not in a discriminator under a gradient penalty, and
    not for batches of a few samples.

    Source: Ioffe and Szegedy (2015), "Batch Normalization", arXiv:1502.03167, Algorithm 1.

    Options:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics, 1 - decay (TensorFlow's 0.999 is 0.001 here).
        affine: whether channels have a learned gain (from 1) and bias (from 0).
    """

    eps: float = field(default=1e-5, validator=[instance_of((int, float)), gt(0)])
    momentum: float = field(default=0.1, validator=[instance_of((int, float)), gt(0), le(1)])
    affine: bool = field(default=True, validator=instance_of(bool))

    def check(self, facts: Facts) -> Iterator[str]:
        yield from too_few_to_normalise(facts)

    def build(self, site: Site) -> nn.Module:
        return BatchNorm(site.channels, eps=self.eps, momentum=self.momentum, affine=self.affine)


def too_few_to_normalise(facts: Facts) -> Iterator[str]:
    """The complaint where a batch is one image, normalised by itself in training and by all images afterwards."""
    if lack := facts.too_few(2):
        yield f'normalises by the images of a microbatch, which is one image here: {lack}, or use a norm such as "group"'


class BatchNorm(nn.BatchNorm2d, MixesSamples):
    """torch's batch norm over x [B, C, H, W]; takes a condition and ignores it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return super().forward(x)
