"""The generator of DCGAN."""

from __future__ import annotations

from math import prod

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import relu

from ganblocks import ImageSpec, Site, full_precision, option, sides
from ganblocks_dcgan.layout import Backbone, FeatureMap


@frozen(kw_only=True)
class DcganGenerator(Backbone):
    """Transposed convolutions that each double the size, from a latent vector to an image: the generator of DCGAN.

    z -> linear to 4×4 -> [norm -> ReLU -> 4×4 transposed convolution of stride 2] per doubling -> tanh. Feature maps have
    ``width`` channels at half the image size, and twice as many at each half of that. Attention follows the ReLU. Each side
    of the image has S·2ᵏ pixels with S at most 8. The first feature map is 4×4 if possible, otherwise as large as possible
    (7×7 for 28 pixels, 6×6 for 96, 4×8 for 64×128).

    Use it as the plain baseline of the literature, and where steps must be cheap: at 32 pixels it costs a fraction of
    ``resnet``. From 128 pixels on it is hard to train; use ``resnet`` there.

    Source: Radford et al. (2016), "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks", arXiv:1511.06434, section 3 and figure 1. Its latents are uniform; here they are normal, as in all generators.

    Options:
        width: channels at half the image size (128 in the paper at 64 pixels, which gives 1024 at 4×4).
        latent: length of z.
        bias: whether layers have biases. The paper's have none, because the norm that follows has its own; set it with norm
            "none".
        attention_at: sizes of the feature maps that get the attention block, by their shorter side.
        norm: feature norm before each ReLU.
        weight_norm: weight norm of every layer.
        attention: the attention block.
        initialization: initialization of every layer.
    """

    latent: int = option(100, low=1)

    def build(self, image: ImageSpec, site: Site) -> DcganGeneratorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if the image size or ``attention_at`` does not fit."""
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            return DcganGeneratorNetwork(site, self.feature_maps(image, site), image.channels, self)


class DcganGeneratorNetwork(nn.Module):
    """A linear layer to the first feature map, then one block per doubling."""

    def __init__(self, site: Site, maps: list[FeatureMap], image_channels: int, options: DcganGenerator) -> None:
        super().__init__()
        self._start = sides(maps[0].size)
        first = maps[0].channels * prod(self._start)
        self.linear = site.layer(nn.Linear(options.latent, first, bias=options.bias), "linear")
        self._blocks = tuple(f"block{i}" for i in range(1, len(maps) + 1))
        out_channels = [*(feature_map.channels for feature_map in maps[1:]), image_channels]
        for name, feature_map, out in zip(self._blocks, maps, out_channels, strict=True):
            block_site = site.at(name, channels=feature_map.channels, size=feature_map.size)
            self.add_module(name, UpBlock(block_site, out, options))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, Z] and labels int64 [B] to images [B, C, H, W] in [-1, 1], in float32."""
        x: Tensor = self.linear(z).unflatten(1, (-1, *self._start)).contiguous(memory_format=torch.channels_last)
        for name in self._blocks:
            x = self.get_submodule(name)(x, label)
        return full_precision(x).tanh()


class UpBlock(nn.Module):
    """Norm, ReLU, attention if there is one, and a transposed convolution that doubles the size."""

    def __init__(self, site: Site, out_channels: int, options: DcganGenerator) -> None:
        super().__init__()
        self.norm = site.at("norm").build(options.norm)
        self.attention = options.attention_block(site)
        conv = nn.ConvTranspose2d(site.channels, out_channels, 4, stride=2, padding=1, bias=options.bias)
        self.conv = site.layer(conv, "conv")

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Map x [B, C, H, W] and labels int64 [B] to [B, out, 2H, 2W]."""
        y: Tensor = self.conv(self.attention(relu(self.norm(x, label))))
        return y
