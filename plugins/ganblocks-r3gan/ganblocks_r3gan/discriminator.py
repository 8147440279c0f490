"""R3GAN's discriminator."""

from __future__ import annotations

import attrs
from attrs import frozen
from torch import Tensor, nn

from ganblocks import Conditioning, ImageSpec, Score, Site, seed_of, seeded, socket
from ganblocks_r3gan.blocks import Blocks, DownStage, LastStage, conv1x1, full_precision
from ganblocks_r3gan.initialising import FanIn
from ganblocks_r3gan.layout import Backbone, Stage


@frozen(kw_only=True)
class R3Discriminator(Backbone):
    """The mirror image of R3GAN's generator: a plain modern residual network without any norm, from an image to features and a
    head.

    image -> 1×1 -> (branches, bilinear downsampling, 1×1) for each halving -> branches -> a learned 4×4 map per channel, summed
    over positions -> head. A branch is x + 1×1(lrelu(3×3 in groups(lrelu(1×1(x))))), wide in the middle; its last convolution
    starts at 0, the others smaller the more branches there are. Images have S·2ᵏ pixels, S at most 8, along each side;
    the smallest feature map is 4×4 where it can be, otherwise as large as it can be. A weight norm leaves out the last
    convolutions of branches, and undoes the scale at which the others start.

    Use it with ``relativistic_paired``, ``r1`` and ``r2`` together: nothing else bounds it. The paper gives it the ``widths``
    of the generator.

    Source: Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441, section 3, and
    its code; initialization after Zhang et al. (2019), arXiv:1901.09321.

    Options:
        width: channels of every stage that ``widths`` does not speak of.
        widths: channels of each stage, from 4×4 up to the image, as in the generator; absent: all ``width``.
        blocks: residual branches of each stage, from 4×4 up to the image; absent: 2 each.
        expansion: how many times wider a branch is in the middle.
        group_width: channels of each group of a branch's 3×3 convolution; the paper's cardinality is width · expansion over it.
        attention_at: feature sizes, by the shorter side, whose branches an attention block follows (the paper has none).
        conditioning: the head ("inner_product" is the paper's).
        weight_norm: around every layer but the last of each branch.
        attention: the block that stands at ``attention_at``.
    """

    conditioning: Conditioning = socket("conditioning", default="inner_product")

    def build(self, image: ImageSpec, site: Site) -> R3DiscriminatorNetwork:
        """Raises UnfitSize where no doublings lead to the image, PlacementError where options do not fit it."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=FanIn())
        stages = self.stages(image, site)
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return R3DiscriminatorNetwork(site, stages[::-1], image.channels, self)


class R3DiscriminatorNetwork(nn.Module):
    """forward(image [B, channels, H, W], label int64 [B] | None) -> Score, in float32."""

    def __init__(self, site: Site, stages: list[Stage], image_channels: int, options: R3Discriminator) -> None:
        super().__init__()
        *halving, last = stages
        branches = sum(stage.blocks for stage in stages)
        self.from_image = conv1x1(site, "from_image", image_channels, stages[0].channels)
        for stage, following in zip(halving, stages[1:], strict=True):
            place = site.at(stage.name, size=stage.size)
            blocks = Blocks(place.at("blocks"), stage, options, branches)
            self.add_module(stage.name, DownStage(place, blocks, stage.channels, following.channels))
        place = site.at(last.name, size=last.size)
        self.add_module(last.name, LastStage(place, Blocks(place.at("blocks"), last, options, branches), last.channels))
        self.head = site.at("head", channels=last.channels, size=1).build(options.conditioning)
        self._stages = tuple(stage.name for stage in stages)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        x = self.from_image(image)
        for name in self._stages:
            x = self.get_submodule(name)(x)
        score: Score = self.head(full_precision(x), label)
        return score
