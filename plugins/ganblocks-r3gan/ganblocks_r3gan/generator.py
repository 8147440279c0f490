"""R3GAN's generator."""

from __future__ import annotations

import attrs
import torch
from attrs import field, frozen
from attrs.validators import ge, instance_of
from torch import Tensor, nn

from ganblocks import Classes, ImageSpec, Site, seed_of, seeded
from ganblocks_r3gan.blocks import Blocks, FirstStage, UpStage, conv1x1, full_precision
from ganblocks_r3gan.initialising import FanIn
from ganblocks_r3gan.layout import Backbone, Stage


@frozen(kw_only=True)
class R3Generator(Backbone):
    """A plain modern residual network from a latent vector to an image, without any norm: the generator of R3GAN.

    [z, e_y] -> linear times a learned 4×4 map per channel -> branches -> (1×1, bilinear upsampling, branches) for each doubling
    -> 1×1 -> tanh. A branch is x + 1×1(lrelu(3×3 in groups(lrelu(1×1(x))))), wide in the middle; its last convolution starts
    at 0, the others smaller the more branches there are. Images have S·2ᵏ pixels, S at most 8, along each side; the first
    feature map is 4×4 where it can be, otherwise as large as it can be. The class enters through an embedding e_y as long
    as z. The paper's network ends without tanh; here images must lie in [-1, 1]. A weight norm leaves out the last
    convolutions of branches, and undoes the scale at which the others start.

    Use it where a simple strong baseline is wanted, with the loss and the penalties that make norms needless:
    ``relativistic_paired``, and ``r1`` and ``r2`` together.

    Source: Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441, section 3, and
    its code; initialization after Zhang et al. (2019), arXiv:1901.09321.

    Options:
        latent: length of z.
        width: channels of every stage that ``widths`` does not speak of.
        widths: channels of each stage, from 4×4 up to the image; absent: all ``width``.
        blocks: residual branches of each stage, from 4×4 up to the image; absent: 2 each.
        expansion: how many times wider a branch is in the middle.
        group_width: channels of each group of a branch's 3×3 convolution; the paper's cardinality is width · expansion over it.
        attention_at: feature sizes, by the shorter side, whose branches an attention block follows (the paper has none).
        weight_norm: around every layer but the last of each branch.
        attention: the block that stands at ``attention_at``.
    """

    latent: int = field(default=64, validator=[instance_of(int), ge(1)])

    def build(self, image: ImageSpec, site: Site) -> R3GeneratorNetwork:
        """Raises UnfitSize where no doublings lead to the image, PlacementError where options do not fit it."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=FanIn())
        stages = self.stages(image, site)
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return R3GeneratorNetwork(site, stages, image.channels, self)


class R3GeneratorNetwork(nn.Module):
    """forward(z [B, Z], label int64 [B] | None) -> image [B, channels, H, W] in [-1, 1], in float32."""

    def __init__(self, site: Site, stages: list[Stage], image_channels: int, options: R3Generator) -> None:
        super().__init__()
        classes = site.condition.count if isinstance(site.condition, Classes) else 0
        self.embedding = site.layer(nn.Embedding(classes, options.latent), "embedding") if classes else None
        branches = sum(stage.blocks for stage in stages)
        arriving = options.latent * (2 if classes else 1)
        for stage in stages:
            place = site.at(stage.name, size=stage.size)
            blocks = Blocks(place.at("blocks"), stage, options, branches)
            kind = FirstStage if stage is stages[0] else UpStage
            self.add_module(stage.name, kind(place, arriving, blocks, stage.channels))
            arriving = stage.channels
        self.to_image = conv1x1(site, "to_image", arriving, image_channels)
        self._stages = tuple(stage.name for stage in stages)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        x = z if self.embedding is None else torch.cat([z, self.embedding(label).to(z.dtype)], 1)
        for name in self._stages:
            x = self.get_submodule(name)(x)
        return full_precision(self.to_image(x)).tanh()
