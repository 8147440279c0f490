"""R3GAN's discriminator."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor, nn

from ganblocks import Conditioning, ImageSpec, Score, Site, full_precision, socket
from ganblocks_r3gan.blocks import Blocks, DownStage, LastStage, conv1x1
from ganblocks_r3gan.initialization import FanIn
from ganblocks_r3gan.layout import Backbone, Stage


@frozen(kw_only=True)
class R3Discriminator(Backbone):
    """A plain modern residual network without any norm, from an image to features and a head: R3GAN's discriminator.

    image -> 1×1 -> (branches, bilinear downsampling, 1×1) for each halving -> branches -> product with a learned 4×4 map per
    channel, summed over positions -> head. A branch is x + 1×1(lrelu(3×3 in groups(lrelu(1×1(x))))), wide in the middle. Its
    last convolution starts at 0, and the others smaller the more branches there are. Each side of the image has S·2ᵏ pixels
    with S at most 8; the smallest feature map is 4×4 if possible, otherwise as large as possible. A weight norm skips the last
    convolutions of branches, and cancels the initial scale of the others.

    Use it with ``relativistic_paired``, ``r1`` and ``r2`` together: nothing else bounds it. In the paper it has the ``widths``
    of the generator.

    Source: Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline", arXiv:2501.05441, section 3, and
    its code; initialization after Zhang et al. (2019), arXiv:1901.09321.

    Options:
        width: channels of every stage if ``widths`` is not set.
        widths: channels of each stage, from 4×4 up to the image, as in the generator; default: all ``width``.
        blocks: residual branches of each stage, from 4×4 up to the image; default: 2 each.
        expansion: how many times wider a branch is in the middle.
        group_width: channels per group of a branch's 3×3 convolution; the paper's cardinality is width · expansion over it.
        attention_at: sizes, by the shorter side, whose branches the attention block follows (the paper has none).
        conditioning: the head ("inner_product" is the paper's).
        weight_norm: weight norm of every layer but the last of each branch.
        attention: the attention block.
    """

    conditioning: Conditioning = socket("conditioning", default="inner_product")

    def build(self, image: ImageSpec, site: Site) -> R3DiscriminatorNetwork:
        """Build the network. Raise UnfitSize or PlacementError if options do not fit the image size."""
        with site.seeded(weight_norm=self.weight_norm, initialization=FanIn()) as site:
            return R3DiscriminatorNetwork(site, self.stages(image, site)[::-1], image.channels, self)


class R3DiscriminatorNetwork(nn.Module):
    """A 1×1 convolution from the image, stages, and a head."""

    def __init__(self, site: Site, stages: list[Stage], image_channels: int, options: R3Discriminator) -> None:
        super().__init__()
        branches = sum(stage.blocks for stage in stages)
        self.from_image = conv1x1(site, "from_image", image_channels, stages[0].channels)
        for stage, following in zip(stages, [*stages[1:], None], strict=True):
            stage_site = site.at(stage.name, size=stage.size)
            blocks = Blocks(stage_site.at("blocks"), stage, options, branches)
            if following is None:
                self.add_module(stage.name, LastStage(stage_site, blocks, stage.channels))
            else:
                self.add_module(stage.name, DownStage(stage_site, blocks, stage.channels, following.channels))
        self.head = site.at("head", channels=stages[-1].channels, size=1).build(options.conditioning)
        self._stages = tuple(stage.name for stage in stages)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Score:
        """Score images [B, C, H, W] with labels int64 [B], in float32."""
        x = self.from_image(image)
        for name in self._stages:
            x = self.get_submodule(name)(x)
        score: Score = self.head(full_precision(x), label)
        return score
