"""The discriminator of DCGAN."""

from __future__ import annotations

from math import prod

from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganblocks import Conditioning, ImageSpec, Score, Site, full_precision, option, sides, socket
from ganblocks_dcgan.layout import Backbone, FeatureMap


@frozen(kw_only=True)
class DcganDiscriminator(Backbone):
    """Strided convolutions that each halve the size, from an image to 4×4 and a head: the discriminator of DCGAN.

    image -> [4×4 convolution of stride 2 -> norm -> LeakyReLU] per halving -> flattened 4×4 map -> head. No norm follows the
    first convolution. A linear head on the flattened map equals the 4×4 convolution to one logit of later code. Feature maps
    have ``width`` channels at half the image size, and twice as many at each half of that. Attention follows the LeakyReLU.
    Each side of the image has S·2ᵏ pixels with S at most 8. The last map is 4×4 if possible, otherwise as large as possible.

    Use it with the ``dcgan`` generator. Under a gradient penalty set norm "none" and ``bias``, because batch norm makes the
    score of an image depend on the others. SNGAN's plain form has weight_norm "spectral" and norm "none".

    Source: Radford et al. (2016), "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
    Networks", arXiv:1511.06434, section 3.

    Options:
        width: channels at half the image size (64 in the paper's code at 64 pixels, which gives 512 at 4×4).
        bias: whether convolutions have biases. The paper's have none, because the norm that follows has its own; set it with
            norm "none".
        slope: slope of the LeakyReLU for negative inputs.
        attention_at: sizes of the feature maps that get the attention block, by their shorter side.
        conditioning: the head.
        norm: feature norm after each convolution but the first.
        weight_norm: weight norm of every layer.
        attention: the attention block.
        initialization: initialization of every layer.
    """

    slope: float = option(0.2, low=0, high=1)
    conditioning: Conditioning = socket("conditioning", default="none")

    def build(self, image: ImageSpec, site: Site) -> DcganDiscriminatorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if the image size or ``attention_at`` does not fit."""
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            return DcganDiscriminatorNetwork(site, self.feature_maps(image, site), image.channels, self)


class DcganDiscriminatorNetwork(nn.Module):
    """One block per halving, then a head on the flattened last feature map."""

    def __init__(self, site: Site, maps: list[FeatureMap], image_channels: int, options: DcganDiscriminator) -> None:
        super().__init__()
        self._blocks = tuple(f"block{i}" for i in range(1, len(maps) + 1))
        in_channels = [image_channels, *(feature_map.channels for feature_map in maps[:0:-1])]
        for name, feature_map, into in zip(self._blocks, reversed(maps), in_channels, strict=True):
            block_site = site.at(name, channels=feature_map.channels, size=feature_map.size)
            self.add_module(name, DownBlock(block_site, into, options, normed=name != "block1"))
        features = maps[0].channels * prod(sides(maps[0].size))
        self.head = site.at("head", channels=features, size=1).build(options.conditioning)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        """Score images [B, C, H, W] with labels int64 [B], in float32."""
        x = image
        for name in self._blocks:
            x = self.get_submodule(name)(x, label)
        score: Score = self.head(full_precision(x).flatten(1), label)
        return score


class DownBlock(nn.Module):
    """A convolution that halves the size, norm, LeakyReLU, and attention if there is one."""

    def __init__(self, site: Site, in_channels: int, options: DcganDiscriminator, normed: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(in_channels, site.channels, 4, stride=2, padding=1, bias=options.bias)
        self.conv = site.layer(conv, "conv")
        self.norm = site.at("norm").build(options.norm) if normed else None
        self.attention = options.attention_block(site)
        self.slope = options.slope

    def forward(self, x: Tensor, label: Tensor | None) -> Tensor:
        """Map x [B, in, 2H, 2W] and labels int64 [B] to [B, C, H, W]."""
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x, label)
        y: Tensor = self.attention(leaky_relu(x, self.slope))
        return y
