"""The generator of AC-GAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import attrs
import torch
from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, instance_of, min_len, optional
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu

from ganblocks import AppendsClasses, Classes, ImageSpec, Initialization, Norm, Site, WeightNorm, seed_of, seeded, socket
from ganblocks_acgan.layout import KERNEL, LAST_KERNEL, generator_multipliers
from ganblocks_acgan.precision import full_precision

_positive = deep_iterable([instance_of(int), ge(1)], instance_of(tuple))


@frozen(kw_only=True)
class AcganGenerator:
    """Transposed convolutions from a latent vector and a class to an image: the generator of the 2017 paper.

    (z, one-hot y) -> linear to 1×1 -> ReLU -> stages -> transposed convolution -> tanh, where a stage is a transposed
    convolution of 5×5, stride 2, a norm and ReLU. Nothing is padded, so that sizes are 1, 5, 13, 29, 61; the last kernel, of
    8×8, then leads to 8, 16, 32, 64 or 128 pixels. Convolutions have no biases.

    The one-hot class is appended to z: 100 + 10 numbers in the paper's ImageNet networks. Without classes z stands alone.
    At 128 pixels and a width of 64 the channels are the paper's (11,465,728 parameters for 10 classes); at 32 pixels and a
    width of 96 they are those of its CIFAR-10 network, whose paddings the paper does not give.

    Use it to see what the 2017 networks do, and as a small, fast baseline. For good images use resnet.

    Source: Odena, Olah and Shlens (2017), "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv:1610.09585,
    appendix A, tables 1 and 2.

    Options:
        width: channels that a multiplier of 1 means.
        latent: length of z.
        multipliers: channels at 1×1 and after each stage, in units of width; absent: the standard table for the image size.
        norm: feature norm of all stages but the last.
        final_norm: feature norm of the last stage before the image ("none": 11,465,600 parameters at 128 pixels).
        weight_norm: around every layer.
        initialization: of every layer.
    """

    width: int = field(default=64, validator=[instance_of(int), ge(1)])
    latent: int = field(default=100, validator=[instance_of(int), ge(1)])
    multipliers: tuple[int, ...] | None = field(default=None, validator=optional(and_(_positive, min_len(1))))
    norm: Norm = socket("norm", default="batch")
    final_norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    initialization: Initialization = socket("initialization", default="normal")

    def build(self, image: ImageSpec, site: Site) -> AcganGeneratorNetwork:
        """Raises UnfitSize or PlacementError where the stages, or the multipliers, do not lead to the image."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        channels = [self.width * each for each in generator_multipliers(image.size, site, self.multipliers)]
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return AcganGeneratorNetwork(site, channels, image.channels, self)


class AcganGeneratorNetwork(nn.Module, AppendsClasses):
    """forward(z [B, Z], label int64 [B] | None) -> image [B, channels, S, S] in [-1, 1], in float32."""

    def __init__(self, site: Site, channels: Sequence[int], image_channels: int, options: AcganGenerator) -> None:
        super().__init__()
        self.classes = site.condition.count if isinstance(site.condition, Classes) else 0
        self.linear = site.layer(nn.Linear(options.latent + self.classes, channels[0]), "linear")
        stages, size = [], 1
        for i, (into, out) in enumerate(pairwise(channels), start=1):
            size = 2 * (size - 1) + KERNEL
            norm = options.norm if i < len(channels) - 1 else options.final_norm
            stages.append(f"stage{i}")
            self.add_module(f"stage{i}", Stage(site.at(f"stage{i}", channels=out, size=size), into, norm))
        last = nn.ConvTranspose2d(channels[-1], image_channels, LAST_KERNEL, stride=2, bias=False)
        self.conv = site.layer(last, "conv")
        self._stages = tuple(stages)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        if self.classes:
            assert label is not None, "a generator with classes is called with labels"
            z = torch.cat([z, one_hot(label, self.classes).to(z.dtype)], dim=1)
        x = relu(self.linear(z))[:, :, None, None]
        for name in self._stages:
            x = self.get_submodule(name)(x, label)
        return full_precision(self.conv(x)).tanh()


class Stage(nn.Module):
    """x [B, in, S, S] and a label -> [B, C, 2S + 3, 2S + 3], C = ``site.channels``."""

    def __init__(self, site: Site, in_channels: int, norm: Norm) -> None:
        super().__init__()
        self.conv = site.layer(nn.ConvTranspose2d(in_channels, site.channels, KERNEL, stride=2, bias=False), "conv")
        self.norm = site.at("norm").build(norm)

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        return relu(self.norm(self.conv(x), label))
