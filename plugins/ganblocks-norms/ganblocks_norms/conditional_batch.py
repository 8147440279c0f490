"""Conditional batch norm: batch norm whose gain and bias depend on the class, or on a vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn import functional

from ganblocks import Checked, Classes, Facts, MixesClasses, MixesSamples, Site, Vector, class_rows, option
from ganblocks_norms.batch import too_few_to_normalise


@frozen(kw_only=True)
class ConditionalBatch(Checked):
    """Normalise each channel over the batch, then scale and shift it depending on the condition.

    y = gain(c) · (x - mean) / sqrt(var + eps) + bias(c), with statistics as in ``batch``, shared by all conditions.

    For classes, gain and bias are tables with a row per class. They are plain parameters: no weight norm divides them (SAGAN
    and BigGAN leave them out, and normalised tables cripple the generator), and no initialization fills them, so that at first
    the layer only normalises. For a vector, gain - 1 and bias are linear maps of it without bias, built as all layers are, as
    in BigGAN.

    Use it in generators of images with classes: SNGAN, SAGAN and BigGAN are conditioned by it and the projection head.

    Source: Dumoulin et al. (2017), "A Learned Representation For Artistic Style", arXiv:1610.07629, equation 5; Miyato and
    Koyama (2018), "cGANs with Projection Discriminator", arXiv:1802.05637; the form for vectors is Brock et al. (2019),
    "BigGAN", arXiv:1809.11096, Appendix B.

    Options:
        gain: "direct" keeps the gain itself in the table, starting at 1 (SAGAN); "one_plus" keeps gain - 1, starting at 0
            (BigGAN). They train alike, except under weight decay. A vector needs "one_plus". Default: "direct" for classes,
            "one_plus" for a vector.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics, 1 - decay (SAGAN's decay 0.999 is 0.001 here).
    """

    gain: Literal["direct", "one_plus"] | None = option(None)
    eps: float = option(1e-5, above=0)
    momentum: float = option(0.1, above=0, high=1)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about microbatches of one image."""
        yield from too_few_to_normalise(facts)

    def build(self, site: Site) -> nn.Module:
        """Return a module with forward(x [B, C, H, W], label int64 [B] or vector float [B, width])."""
        match site.condition:
            case Classes(count):
                return ClassBatchNorm(site.channels, count, self)
            case Vector(width):
                return self._build_for_vector(site, width)
        raise site.error("conditional_batch needs a condition, but there is none here", 'use norm = "batch"')

    def _build_for_vector(self, site: Site, width: int) -> nn.Module:
        if self.gain == "direct":
            rule = "a gain that is a linear map of a vector would start near 0 and silence every channel"
            raise site.error(rule, 'use gain = "one_plus"')
        gain = site.layer(nn.Linear(width, site.channels, bias=False), "gain")
        bias = site.layer(nn.Linear(width, site.channels, bias=False), "bias")
        return VectorBatchNorm(site.channels, gain, bias, self)


class _SharedStatistics(nn.Module, MixesSamples):
    """Batch norm without gain and bias, the base of all conditional forms."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, options: ConditionalBatch) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def modulate(self, x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        """Return gain · normalised x + bias in the precision of x, for x [B, C, H, W], gain and bias [B, C]."""
        mean, var = self.running_mean, self.running_var
        momentum, eps = self.options.momentum, self.options.eps
        normalised = functional.batch_norm(x, mean, var, training=self.training, momentum=momentum, eps=eps)
        gain, bias = gain.to(normalised.dtype), bias.to(normalised.dtype)
        return torch.addcmul(bias[:, :, None, None], normalised, gain[:, :, None, None])


class ClassBatchNorm(_SharedStatistics, MixesClasses):
    """forward(x [B, C, H, W], label int64 [B] or weights [B, classes]), with tables ``gain`` and ``bias`` [classes, C]."""

    def __init__(self, channels: int, classes: int, options: ConditionalBatch) -> None:
        super().__init__(channels, options)
        start = 0.0 if options.gain == "one_plus" else 1.0
        self.gain = nn.Parameter(torch.full((classes, channels), start))
        self.bias = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return x [B, C, H, W] normalised, scaled and shifted by ``condition``: int64 [B], or weights of classes [B, K]."""
        gain = class_rows(self.gain, condition)
        gain = 1 + gain if self.options.gain == "one_plus" else gain
        return self.modulate(x, gain, class_rows(self.bias, condition))


class VectorBatchNorm(_SharedStatistics):
    """forward(x [B, C, H, W], vector float [B, width]), with linear maps ``gain`` (of gain - 1) and ``bias``."""

    def __init__(self, channels: int, gain: nn.Module, bias: nn.Module, options: ConditionalBatch) -> None:
        super().__init__(channels, options)
        self.gain, self.bias = gain, bias

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return x [B, C, H, W] normalised, scaled and shifted by vector ``condition`` [B, width]."""
        return self.modulate(x, 1 + self.gain(condition), self.bias(condition))
