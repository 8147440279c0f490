"""BigGAN's generator."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from attrs import frozen
from ganblocks_resnet.generator import ResnetGenerator, ResnetGeneratorNetwork
from ganblocks_resnet.layout import Stage, generator_stages
from torch import Tensor, nn

from ganblocks import (
    Classes,
    ImageSpec,
    Initialization,
    MixesClasses,
    Norm,
    Site,
    Vector,
    WeightNorm,
    class_rows,
    option,
    socket,
)


@frozen(kw_only=True)
class BigGANGenerator(ResnetGenerator):
    """The residual generator whose blocks each get a shared embedding of the class and a chunk of the latent.

    z = (z_0, ..., z_n) in n + 1 equal chunks for n blocks: z_0 -> linear to 4×4, and the norms of block i are conditioned on
    the vector c_i = (e_y, z_i), where e_y is the row of class y in one embedding. Blocks, tables of channels and last norm are
    those of the generator ``resnet``. The embedding has no weight norm, which would cripple the generator. The linear maps from
    c_i to gains and biases are layers like all others.

    Without labels c_i is z_i. With ``shared`` = 0 and ``hierarchical`` = false the norms get the label itself, as in
    ``resnet``: the first rows of the paper's table 1. Z must be divisible by n + 1; the paper has chunks of 20.

    Use it for many classes: tables in every norm would take more parameters, and share nothing between norms. Its discriminator
    is ``resnet``. For few classes and small images the generator ``resnet`` is the simpler choice.

    Source: Brock et al. (2019), "Large Scale GAN Training for High Fidelity Natural Image Synthesis", arXiv:1809.11096,
    table 4.

    Options:
        width: channels per unit of ``multipliers`` (the paper's ch: 96, or 64).
        latent: length of z (120 at 128 pixels, 140 at 256).
        shared: length of the shared embedding of the class; 0: none.
        hierarchical: whether z is split into chunks; if not, all of it goes to the first layer.
        attention_at: sizes of the feature maps that get the attention block, by their shorter side (BigGAN: 64 from 128 pixels
            on).
        multipliers: channels of the first feature map and after each block, in units of ``width``; default: the standard table
            for as many blocks as the image needs.
        upsampling: "nearest" as in BigGAN, or "bilinear".
        norm: feature norm before each ReLU of a block; it must accept a vector as its condition.
        final_norm: feature norm before the last ReLU; plain.
        weight_norm: weight norm of every layer but the embedding.
        attention: the attention block.
        initialization: initialization of every layer, including the embedding.
    """

    width: int = option(96, low=1)
    latent: int = option(120, low=1)
    shared: int = option(128, low=0)
    hierarchical: bool = option(True)
    weight_norm: WeightNorm = socket("weight_norm", default="spectral")
    initialization: Initialization = socket("initialization", default="orthogonal")

    def build(self, image: ImageSpec, site: Site) -> BigGANGeneratorNetwork:
        """Build the network. Raise PlacementError if z cannot be split, the norm ignores its condition, or ``resnet`` does."""
        with site.seeded(weight_norm=self.weight_norm, initialization=self.initialization) as site:
            stages = generator_stages(image, site, self.width, self.multipliers)
            chunk = self._chunk(site, len(stages) + 1)
            self._check_condition(site, stages[0], chunk)
            return BigGANGeneratorNetwork(site, stages, image.channels, self, chunk)

    def condition_width(self, site: Site, chunk: int) -> int:
        """Return the length of the vector on which a block's norms are conditioned; 0 if they get the label or nothing."""
        embedding = self.shared if isinstance(site.condition, Classes) else 0
        return embedding + (chunk if self.hierarchical else 0)

    def _chunk(self, site: Site, parts: int) -> int:
        """Return the length of the first layer's input."""
        if not self.hierarchical:
            return self.latent
        if self.latent % parts:
            rule = f"a latent of {self.latent} cannot be split into {parts} equal chunks, one to start and one per block"
            raise site.error(rule, f"use latent = {-(-self.latent // parts) * parts}")
        if not self.shared and isinstance(site.condition, Classes):
            rule = "without a shared embedding norms get the label, which cannot be joined with a chunk of the latent"
            raise site.error(rule, "set shared = 128, or hierarchical = false")
        return self.latent // parts

    def _check_condition(self, site: Site, first: Stage, chunk: int) -> None:
        """Raise PlacementError if the norms of the first block ignore their condition."""
        width = self.condition_width(site, chunk)
        norm_site = site.at(f"{first.name}.norm1", channels=first.in_channels, size=first.in_size, condition=Vector(width))
        if width and not _reads_condition(self.norm, norm_site, width):
            rule = f"{type(self.norm).__name__} ignores its condition: neither the class nor a chunk of z would reach the image"
            raise site.error(rule, 'use norm = "conditional_batch"; or shared = 0 and hierarchical = false')


class BigGANGeneratorNetwork(ResnetGeneratorNetwork, MixesClasses):
    """The residual network, with the shared embedding."""

    def __init__(self, site: Site, stages: Sequence[Stage], image_channels: int, options: BigGANGenerator, chunk: int) -> None:
        width = options.condition_width(site, chunk)
        super().__init__(site, stages, image_channels, options, chunk, Vector(width) if width else site.condition)
        self.embedding: nn.Embedding | None = None
        if isinstance(site.condition, Classes) and options.shared:
            plain = attrs.evolve(site, weight_norm=None)
            self.embedding = nn.Embedding(site.condition.count, options.shared)
            plain.layer(self.embedding, "embedding")
        self._chunk = chunk

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, Z] and labels int64 [B], or weights [B, K], to images [B, C, H, W] in [-1, 1], in float32."""
        first, *chunks = torch.split(z, self._chunk, dim=1)
        return self.decode(first, self.conditions(chunks, label), label)

    def conditions(self, chunks: Sequence[Tensor], label: Tensor | None) -> Sequence[Tensor | None]:
        """Return each block's condition: embedding of labels [B] and chunk [B, Z/(n + 1)], one of the two, or the label."""
        if self.embedding is None:
            return chunks or [label] * len(self._blocks)
        assert label is not None, "a generator with classes is called with labels"
        row = class_rows(self.embedding.weight, label)
        return [torch.cat([row, chunk], 1) for chunk in chunks] or [row] * len(self._blocks)


def _reads_condition(norm: Norm, site: Site, width: int) -> bool:
    """Return whether the output of ``norm`` depends on a vector of ``width``, by a graph on the meta device."""
    with torch.device("meta"), torch.enable_grad():
        condition = torch.zeros(2, width, requires_grad=True)
        y = site.build(norm)(torch.zeros(2, site.channels, site.height, site.width), condition)
    return y.requires_grad and torch.autograd.grad(y.sum(), condition, allow_unused=True)[0] is not None
