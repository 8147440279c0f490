"""Batch norm."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Checked, Facts, MixesSamples, Site, option


@frozen(kw_only=True)
class Batch(Checked):
    """Normalise each channel over the batch and all positions, then scale and shift it.

    y = gain · (x - mean) / sqrt(var + eps) + bias, with statistics of the batch in training and running ones in evaluation:
    running ← (1 - momentum) · running + momentum · batch, with the unbiased variance. It is torch's own layer.

    Use it in generators without classes, and in both networks of DCGAN. Do not use it in a discriminator under a gradient
    penalty, or for batches of a few samples.

    Source: Ioffe and Szegedy (2015), "Batch Normalization", arXiv:1502.03167, Algorithm 1.

    Options:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics, 1 - decay (TensorFlow's 0.999 is 0.001 here).
        affine: whether channels have a learned gain (from 1) and bias (from 0).
    """

    eps: float = option(1e-5, above=0)
    momentum: float = option(0.1, above=0, high=1)
    affine: bool = option(True)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about microbatches of one image."""
        yield from too_few_to_normalise(facts)

    def build(self, site: Site) -> nn.Module:
        """Return the layer for x [B, C, H, W], C = ``site.channels``."""
        return BatchNorm(site.channels, eps=self.eps, momentum=self.momentum, affine=self.affine)


def too_few_to_normalise(facts: Facts) -> Iterator[str]:
    """Complain about microbatches of one image, whose statistics in training are not those of evaluation."""
    if lack := facts.too_few(2):
        yield f'normalises over a microbatch, which is one image here: {lack}, or use a norm such as "group"'


class BatchNorm(nn.BatchNorm2d, MixesSamples):
    """torch's batch norm over x [B, C, H, W]; takes a condition and ignores it."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return x [B, C, H, W] normalised, scaled and shifted."""
        return super().forward(x)
