"""BigGAN's generator."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from attrs import field, frozen
from attrs.validators import ge, instance_of
from ganblocks_resnet.generator import ResnetGenerator, ResnetGeneratorNetwork
from ganblocks_resnet.layout import Stage, generator_stages
from torch import Tensor, nn

from ganblocks import Classes, ImageSpec, Initialization, Site, Vector, WeightNorm, seed_of, seeded, socket
from ganblocks_biggan.hearing import hears


@frozen(kw_only=True)
class BigGANGenerator(ResnetGenerator):
    """The residual generator whose blocks each get the class, by one embedding that they share, and a chunk of the latent.

    z = (z_0, ..., z_n) in n + 1 equal chunks for n blocks: z_0 -> linear to 4×4, and the norms of block i are told the vector
    c_i = (e_y, z_i), where e_y is the row of class y in the one embedding. The rest is the generator ``resnet``: its blocks,
    its tables of channels, its last norm. No weight norm divides the embedding, which would cripple the generator; the linear
    maps from c_i to gains and biases are layers as all others.

    Without labels c_i is z_i alone. With ``shared`` = 0 and ``hierarchical`` = false the norms are told the label itself, as in
    ``resnet``: the first rows of the paper's table 1. Z must be divisible by n + 1; the paper has chunks of 20.

    Use it where there are many classes: tables in every norm would take more parameters, and share nothing between norms. Its
    discriminator is ``resnet``. For a few classes and small images the generator ``resnet`` is the simpler choice.

    Source: Brock et al. (2019), "Large Scale GAN Training for High Fidelity Natural Image Synthesis", arXiv:1809.11096,
    table 4.

    Options:
        width: channels that a multiplier of 1 means (the paper's ch: 96, or 64).
        latent: length of z (120 at 128 pixels, 140 at 256).
        shared: length of the shared embedding of the class; 0: none.
        hierarchical: whether z is split into chunks; if not, all of it goes to the first layer.
        attention_at: feature sizes, by the shorter side, at which the attention block stands (BigGAN: 64 from 128 pixels on).
        multipliers: channels of the first feature map and after each block, in units of width; absent: the standard table for
            as many blocks as the image needs.
        upsampling: of every block: the "nearest" neighbour in BigGAN, or "bilinear".
        norm: feature norm before each ReLU of a block. It must listen to a vector.
        final_norm: feature norm before the last ReLU; plain.
        weight_norm: around every layer but the embedding.
        attention: the block that stands at ``attention_at``.
        initialization: of every layer, the embedding among them.
    """

    width: int = field(default=96, validator=[instance_of(int), ge(1)])
    latent: int = field(default=120, validator=[instance_of(int), ge(1)])
    shared: int = field(default=128, validator=[instance_of(int), ge(0)])
    hierarchical: bool = field(default=True, validator=instance_of(bool))
    weight_norm: WeightNorm = socket("weight_norm", default="spectral")
    initialization: Initialization = socket("initialization", default="orthogonal")

    def build(self, image: ImageSpec, site: Site) -> BigGANGeneratorNetwork:
        """Raises PlacementError where the latent does not divide, where the norm ignores what it is told, and where ``resnet`` does."""
        site = attrs.evolve(site, weight_norm=self.weight_norm, initialization=self.initialization)
        stages = generator_stages(image, site, self.width, self.multipliers)
        parts = len(stages) + 1 if self.hierarchical else 1
        self._check(site, stages, parts)
        with seeded(seed_of(site.seed, site.path)):  # layers draw when they are made, before they are initialised
            return BigGANGeneratorNetwork(site, stages, image.channels, self, self.latent // parts)

    def told(self, site: Site, chunk: int) -> int:
        """Length of what the norms of a block are told; 0 where it is no vector."""
        embedding = self.shared if isinstance(site.condition, Classes) else 0
        return embedding + (chunk if self.hierarchical else 0)

    def _check(self, site: Site, stages: Sequence[Stage], parts: int) -> None:
        if self.latent % parts:
            rule = f"a latent of {self.latent} cannot be split into {parts} equal chunks, one for each block and one to begin"
            raise site.error(rule, f"use latent = {-(-self.latent // parts) * parts}")
        if self.hierarchical and not self.shared and isinstance(site.condition, Classes):
            rule = "without a shared embedding norms are told the label, which cannot be joined with a chunk of the latent"
            raise site.error(rule, "set shared = 128, or hierarchical = false")
        width, first = self.told(site, self.latent // parts), stages[0]
        place = site.at(f"{first.name}.norm1", channels=first.in_channels, size=first.in_size, condition=Vector(width))
        if width and not hears(self.norm, place, width):
            rule = (
                f"{type(self.norm).__name__} ignores what it is told: neither the class nor a chunk of z would reach the image"
            )
            raise site.error(rule, 'use norm = "conditional_batch"; or shared = 0 and hierarchical = false')


class BigGANGeneratorNetwork(ResnetGeneratorNetwork):
    """forward(z [B, Z], label int64 [B] | None) -> image [B, channels, H, W] in [-1, 1], in float32."""

    def __init__(self, site: Site, stages: Sequence[Stage], image_channels: int, options: BigGANGenerator, chunk: int) -> None:
        width = options.told(site, chunk)
        super().__init__(site, stages, image_channels, options, chunk, Vector(width) if width else site.condition)
        self.embedding: nn.Module | None = None
        if isinstance(site.condition, Classes) and options.shared:
            plain = attrs.evolve(site, weight_norm=None)
            self.embedding = plain.layer(nn.Embedding(site.condition.count, options.shared), "embedding")
        self._chunk = chunk

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        first, *chunks = torch.split(z, self._chunk, dim=1)
        return self.decode(first, self.conditions(chunks, label), label)

    def conditions(self, chunks: Sequence[Tensor], label: Tensor | None) -> Sequence[Tensor | None]:
        """What the norms of each block are told: class and chunk; the class alone, where z is not split; or the label."""
        if self.embedding is None:
            return chunks or [label] * len(self._blocks)
        row = self.embedding(label)
        return [torch.cat([row, chunk], 1) for chunk in chunks] or [row] * len(self._blocks)
