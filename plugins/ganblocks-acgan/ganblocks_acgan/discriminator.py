"""The discriminator of AC-GAN."""

from __future__ import annotations

from math import prod
from typing import Literal

from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import dropout, leaky_relu

from ganblocks import Conditioning, ImageSpec, Score, Site, full_precision, option, sides, socket
from ganblocks_acgan.layout import Backbone, Convolution, discriminator_convolutions


@frozen(kw_only=True)
class AcganDiscriminator(Backbone):
    """Six convolutions with dropout, from an image to a head over the whole last map: the discriminator of the 2017 paper.

    image -> stages -> flatten -> head, where a stage is a convolution of 3×3 without bias, a norm (not in the first), LeakyReLU
    and dropout. Strides are 2, 1, 2, 1, 2, 1. Convolutions of stride 2 have padding 1, the others ``padding``. At 128 pixels
    sizes are 64, 62, 31, 29, 15, 13, and the head reads 13·13·512 numbers (2,525,563 parameters with the auxiliary classifier
    for 10 classes). Below 64 pixels, for which the paper gives no paddings, all are padded: 32 pixels end at 4×4. Below 16
    pixels there are four stages.

    Dropout draws from torch's global random numbers. Each turn seeds them from its batch, so an objective is repeatable.

    Use it to reproduce the 2017 networks: they rely on dropout and batch norm against memorising, where later ones have
    spectral norm and augmentation. For good images use resnet.

    Source: Odena, Olah and Shlens (2017), "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv:1610.09585,
    appendix A, tables 1 and 2.

    Options:
        width: channels per unit of ``multipliers``.
        multipliers: channels after each convolution, in units of ``width``; default: 1, 2, 4, 8, 16, 32.
        padding: padding of the convolutions of stride 1; default: 0 from 64 pixels on, 1 below.
        dropout: share of activations that are dropped after each stage in training.
        slope: slope of the LeakyReLU for negative inputs.
        conditioning: the head.
        norm: feature norm of all stages but the first.
        weight_norm: weight norm of every layer.
        initialization: initialization of every layer.
    """

    width: int = option(16, low=1)
    padding: Literal[0, 1] | None = option(None)
    dropout: float = option(0.5, low=0, high=0.9)
    slope: float = option(0.2, low=0, below=1)
    conditioning: Conditioning = socket("conditioning", default="auxiliary_classifier")

    def build(self, image: ImageSpec, site: Site) -> AcganDiscriminatorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if the image is too small for the convolutions."""
        convolutions = discriminator_convolutions(image.size, self.width, self.multipliers, self.padding, site)
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            return AcganDiscriminatorNetwork(site, image.channels, convolutions, self)


class AcganDiscriminatorNetwork(nn.Module):
    """Stages, and a head on the flattened last feature map."""

    def __init__(self, site: Site, image_channels: int, convolutions: list[Convolution], options: AcganDiscriminator) -> None:
        super().__init__()
        self._stages = tuple(f"stage{i}" for i in range(1, len(convolutions) + 1))
        in_channels = image_channels
        for name, conv in zip(self._stages, convolutions, strict=True):
            stage_site = site.at(name, channels=conv.channels, size=conv.size)
            self.add_module(name, Stage(stage_site, in_channels, conv, options, normed=name != "stage1"))
            in_channels = conv.channels
        features = in_channels * prod(sides(convolutions[-1].size))
        self.head = site.at("head", channels=features, size=1).build(options.conditioning)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        """Score images [B, C, H, W] with labels int64 [B], in float32."""
        x = image
        for name in self._stages:
            x = self.get_submodule(name)(x, label)
        score: Score = self.head(full_precision(x).flatten(1), label)
        return score


class Stage(nn.Module):
    """Convolution, norm if there is one, LeakyReLU and dropout."""

    def __init__(self, site: Site, in_channels: int, conv: Convolution, options: AcganDiscriminator, normed: bool) -> None:
        super().__init__()
        layer = nn.Conv2d(in_channels, conv.channels, 3, conv.stride, conv.padding, bias=False)
        self.conv = site.layer(layer, "conv")
        self.norm = site.at("norm").build(options.norm) if normed else None
        self.slope, self.dropout = options.slope, options.dropout

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Map x [B, in, H, W] and labels int64 [B] to [B, C, h, w], the size of the site."""
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x, label)
        return dropout(leaky_relu(x, self.slope), self.dropout, self.training)
