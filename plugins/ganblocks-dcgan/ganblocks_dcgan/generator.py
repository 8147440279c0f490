"""The generator of DCGAN."""

from __future__ import annotations

from math import prod

import attrs
import torch
from attrs import field, frozen
from attrs.validators import deep_iterable, ge, instance_of
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import Attention, ImageSpec, Initialization, Norm, Site, WeightNorm, seed_of, seeded, sides, socket
from ganblocks_dcgan.layout import Stage, feature_maps, is_attended


@frozen(kw_only=True)
class DcganGenerator:
    """Transposed convolutions that each double the size, from a latent vector to an image: the generator of DCGAN.

    z -> linear to 4×4 -> [norm -> ReLU -> 4×4 transposed convolution of stride 2] for every doubling -> tanh. Feature maps have
    ``width`` channels at half the image's size, and twice as many at each half of that. Attention stands after the ReLU.
    Images have S·2ᵏ pixels, S at most 8, along each side: the first feature map is 4×4 where it can be, and otherwise as large
    as it can be (7×7 for 28 pixels, 6×6 for 96, 4×8 for 64×128).

    Use it for the plain baseline of the literature, and where a step must be cheap: at 32 pixels it costs a fraction of
    ``resnet``. From 128 pixels on it is hard to train; use ``resnet`` there.

    Source: Radford et al. (2016), "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks", arXiv:1511.06434, section 3 and figure 1. Its latents are uniform; here they are normal, as everywhere.

    Options:
        width: channels at half the image's size (the paper's 128 at 64 pixels, so that there are 1024 at 4×4).
        latent: length of z.
        bias: whether layers have biases. The paper's have none, because a norm follows with its own; use true with norm "none".
        attention_at: feature sizes, by the shorter side, at which the attention block stands.
        norm: feature norm before each ReLU.
        weight_norm: around every layer.
        attention: the block that stands at ``attention_at``.
        initialization: of every layer.
    """

    width: int = field(default=64, validator=[instance_of(int), ge(1)])
    latent: int = field(default=100, validator=[instance_of(int), ge(1)])
    bias: bool = field(default=False, validator=instance_of(bool))
    attention_at: tuple[int, ...] = field(default=(), validator=deep_iterable([instance_of(int), ge(1)], instance_of(tuple)))
    norm: Norm = socket("norm", default="batch")
    weight_norm: WeightNorm = socket("weight_norm", default="none")
    attention: Attention = socket("attention", default="self_attention")
    initialization: Initialization = socket("initialization", default="normal")

    def build(self, image: ImageSpec, site: Site) -> DcganGeneratorNetwork:
        """Raises UnfitSize for a size that no doublings lead to, PlacementError for one in ``attention_at`` that never occurs."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        maps = feature_maps(image, site, self.width)
        site.expect_sizes("attention_at", self.attention_at, [each.size for each in maps])
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return DcganGeneratorNetwork(site, maps, image.channels, self)


class DcganGeneratorNetwork(nn.Module):
    """forward(z [B, Z], label int64 [B] | None) -> image [B, channels, H, W] in [-1, 1], in float32."""

    def __init__(self, site: Site, maps: list[Stage], image_channels: int, options: DcganGenerator) -> None:
        super().__init__()
        self._start = sides(maps[0].size)
        first = maps[0].channels * prod(self._start)
        self.linear = site.layer(nn.Linear(options.latent, first, bias=options.bias), "linear")
        followers = [*(each.channels for each in maps[1:]), image_channels]
        for i, (each, out) in enumerate(zip(maps, followers, strict=True), start=1):
            place = site.at(f"block{i}", channels=each.channels, size=each.size)
            self.add_module(f"block{i}", UpBlock(place, out, options))
        self._blocks = tuple(f"block{i}" for i in range(1, len(maps) + 1))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        x: Tensor = self.linear(z).unflatten(1, (-1, *self._start)).contiguous(memory_format=torch.channels_last)
        for name in self._blocks:
            x = self.get_submodule(name)(x, label)
        return x.to(torch.promote_types(x.dtype, torch.float32)).tanh()


class UpBlock(nn.Module):
    """x [B, C, H, W] and a label -> [B, out, 2H, 2W]: norm, ReLU, attention (if there is one), transposed convolution."""

    def __init__(self, site: Site, out_channels: int, options: DcganGenerator) -> None:
        super().__init__()
        attentive = is_attended(site.size, options.attention_at)
        self.norm = site.at("norm").build(options.norm)
        self.attention = site.at("attention").build(options.attention) if attentive else nn.Identity()
        layer = nn.ConvTranspose2d(site.channels, out_channels, 4, stride=2, padding=1, bias=options.bias)
        self.conv = site.layer(layer, "conv")

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        y: Tensor = self.conv(self.attention(relu(self.norm(x, label))))
        return y
