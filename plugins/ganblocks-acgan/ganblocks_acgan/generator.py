"""The generator of AC-GAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import (
    AppendsClasses,
    Classes,
    ImageSpec,
    MixesClasses,
    Norm,
    Site,
    class_weights,
    full_precision,
    option,
    socket,
)
from ganblocks_acgan.layout import KERNEL, LAST_KERNEL, Backbone, generator_multipliers


@frozen(kw_only=True)
class AcganGenerator(Backbone):
    """Transposed convolutions from a latent vector and a class to an image: the generator of the 2017 paper.

    (z, one-hot y) -> linear to 1×1 -> ReLU -> stages -> transposed convolution -> tanh, where a stage is a transposed
    convolution of 5×5 and stride 2, a norm and ReLU. Nothing is padded, so sizes are 1, 5, 13, 29, 61, and the last kernel,
    of 8×8, leads to 8, 16, 32, 64 or 128 pixels. Convolutions have no biases.

    The one-hot class is appended to z: 100 + 10 numbers in the paper's ImageNet networks. Without classes the input is z.
    At 128 pixels and width 64 the channels are the paper's (11,465,728 parameters for 10 classes). At 32 pixels and width 96
    they are those of its CIFAR-10 network, whose paddings the paper does not give.

    Use it to reproduce the 2017 networks, and as a small, fast baseline. For good images use resnet.

    Source: Odena, Olah and Shlens (2017), "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv:1610.09585,
    appendix A, tables 1 and 2.

    Options:
        width: channels per unit of ``multipliers``.
        latent: length of z.
        multipliers: channels at 1×1 and after each stage, in units of ``width``; default: the table for the image size.
        norm: feature norm of all stages but the last.
        final_norm: feature norm of the last stage before the image ("none": 11,465,600 parameters at 128 pixels).
        weight_norm: weight norm of every layer.
        initialization: initialization of every layer.
    """

    width: int = option(64, low=1)
    latent: int = option(100, low=1)
    final_norm: Norm = socket("norm", default="batch")

    def build(self, image: ImageSpec, site: Site) -> AcganGeneratorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if the stages do not lead to the image size."""
        channels = [self.width * multiplier for multiplier in generator_multipliers(image.size, site, self.multipliers)]
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            return AcganGeneratorNetwork(site, channels, image.channels, self)


class AcganGeneratorNetwork(nn.Module, AppendsClasses, MixesClasses):
    """A linear layer to 1×1, stages, and a last transposed convolution."""

    def __init__(self, site: Site, channels: Sequence[int], image_channels: int, options: AcganGenerator) -> None:
        super().__init__()
        self.classes = site.condition.count if isinstance(site.condition, Classes) else 0
        self.linear = site.layer(nn.Linear(options.latent + self.classes, channels[0]), "linear")
        self._stages = tuple(f"stage{i}" for i in range(1, len(channels)))
        size = 1
        for name, (in_channels, out_channels) in zip(self._stages, pairwise(channels), strict=True):
            size = 2 * (size - 1) + KERNEL
            norm = options.final_norm if name == self._stages[-1] else options.norm
            self.add_module(name, Stage(site.at(name, channels=out_channels, size=size), in_channels, norm))
        last = nn.ConvTranspose2d(channels[-1], image_channels, LAST_KERNEL, stride=2, bias=False)
        self.conv = site.layer(last, "conv")

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, Z] and labels int64 [B], or weights [B, K], to images [B, C, H, W] in [-1, 1], in float32."""
        if self.classes:
            assert label is not None, "a generator with classes is called with labels"
            z = torch.cat([z, class_weights(label, self.classes, z.dtype)], dim=1)
        x = relu(self.linear(z))[:, :, None, None]
        for name in self._stages:
            x = self.get_submodule(name)(x, label)
        return full_precision(self.conv(x)).tanh()


class Stage(nn.Module):
    """Transposed convolution, norm and ReLU."""

    def __init__(self, site: Site, in_channels: int, norm: Norm) -> None:
        super().__init__()
        self.conv = site.layer(nn.ConvTranspose2d(in_channels, site.channels, KERNEL, stride=2, bias=False), "conv")
        self.norm = site.at("norm").build(norm)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Map x [B, in, S, S] and labels int64 [B] to [B, C, 2S + 3, 2S + 3]."""
        return relu(self.norm(self.conv(x), label))
