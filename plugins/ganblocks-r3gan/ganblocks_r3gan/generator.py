"""R3GAN's generator."""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Classes, ImageSpec, Site, full_precision, option
from ganblocks_r3gan.blocks import Blocks, FirstStage, UpStage, conv1x1
from ganblocks_r3gan.initialization import FanIn
from ganblocks_r3gan.layout import Backbone, Stage


@frozen(kw_only=True)
class R3Generator(Backbone):
    """A plain modern residual network from a latent vector to an image, without any norm: the generator of R3GAN.

    [z, e_y] -> linear times a learned 4×4 map per channel -> branches -> (1×1, bilinear upsampling, branches) for each doubling
    -> 1×1 -> tanh. A branch is x + 1×1(lrelu(3×3 in groups(lrelu(1×1(x))))), wide in the middle. Its last convolution starts
    at 0, and the others smaller the more branches there are. Each side of the image has S·2ᵏ pixels with S at most 8; the
    first feature map is 4×4 if possible, otherwise as large as possible. The class enters through an embedding e_y as long as
    z. The paper's network ends without tanh; here images must lie in [-1, 1]. A weight norm skips the last convolutions of
    branches, and cancels the initial scale of the others.

    Use it as a simple strong baseline, with the loss and penalties that make norms unnecessary: ``relativistic_paired``, and
    ``r1`` and ``r2`` together.

    Source: Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441, section 3, and
    its code; initialization after Zhang et al. (2019), arXiv:1901.09321.

    Options:
        latent: length of z.
        width: channels of every stage if ``widths`` is not set.
        widths: channels of each stage, from 4×4 up to the image; default: all ``width``.
        blocks: residual branches of each stage, from 4×4 up to the image; default: 2 each.
        expansion: how many times wider a branch is in the middle.
        group_width: channels per group of a branch's 3×3 convolution; the paper's cardinality is width · expansion over it.
        attention_at: sizes, by the shorter side, whose branches the attention block follows (the paper has none).
        weight_norm: weight norm of every layer but the last of each branch.
        attention: the attention block.
    """

    latent: int = option(64, low=1)

    def build(self, image: ImageSpec, site: Site) -> R3GeneratorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if options do not fit the image size."""
        with site.seeded(weight_norm=self.weight_norm, initialization=FanIn()) as site:
            return R3GeneratorNetwork(site, self.stages(image, site), image.channels, self)


class R3GeneratorNetwork(nn.Module):
    """An embedding of the class, stages, and a 1×1 convolution to the image."""

    def __init__(self, site: Site, stages: list[Stage], image_channels: int, options: R3Generator) -> None:
        super().__init__()
        classes = site.condition.count if isinstance(site.condition, Classes) else 0
        self.embedding = site.layer(nn.Embedding(classes, options.latent), "embedding") if classes else None
        branches = sum(stage.blocks for stage in stages)
        in_channels = options.latent * (2 if classes else 1)
        for stage in stages:
            stage_site = site.at(stage.name, size=stage.size)
            blocks = Blocks(stage_site.at("blocks"), stage, options, branches)
            kind = FirstStage if stage is stages[0] else UpStage
            self.add_module(stage.name, kind(stage_site, in_channels, blocks, stage.channels))
            in_channels = stage.channels
        self.to_image = conv1x1(site, "to_image", in_channels, image_channels)
        self._stages = tuple(stage.name for stage in stages)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, Z] and labels int64 [B] to images [B, C, H, W] in [-1, 1], in float32."""
        x = z if self.embedding is None else torch.cat([z, self.embedding(label).to(z.dtype)], 1)
        for name in self._stages:
            x = self.get_submodule(name)(x)
        return full_precision(self.to_image(x)).tanh()
