"""Every layer of both networks is seeded by its path: the dotted name under which the state keeps it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from attrs import evolve, field, frozen
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_conditionings.projection import Projection
from ganblocks_norms.batch import Batch
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.none import NoNorm
from ganblocks_resnet.discriminator import ResnetDiscriminator
from ganblocks_resnet.generator import ResnetGenerator
from ganblocks_spectral.none import NoWeightNorm
from torch import nn

from ganblocks import Classes, ImageSpec, Site

CHANNELS, CLASSES = 3, 4


@frozen
class Recording:
    """A norm, or an attention, that records where it is built."""

    norm: Any
    seen: list[tuple[str, int, int]] = field(factory=list)

    def build(self, site: Site) -> nn.Module:
        self.seen.append((site.path, site.channels, site.height))
        module: nn.Module = self.norm.build(site)
        return module


@frozen
class OwnRule:
    def fill(self, layer: Any, rng: torch.Generator) -> None:
        nn.init.normal_(layer.weight, generator=rng)


def layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding))


def networks(norm: Any, attention: Any) -> Iterator[tuple[str, nn.Module]]:
    image = ImageSpec(CHANNELS, 16, CLASSES)
    common = {"weight_norm": NoWeightNorm(), "attention": attention, "initialization": OwnRule(), "width": 8}
    site = Site(channels=CHANNELS, size=16, condition=Classes(CLASSES), path="g")
    yield "g", ResnetGenerator(latent=6, attention_at=(8,), norm=norm, final_norm=Batch(), **common).build(image, site)
    discriminator = ResnetDiscriminator(attention_at=(8,), norm=norm, conditioning=Projection(), **common)
    yield "d", discriminator.build(image, evolve(site, path="d"))


def test_layers_are_seeded_by_their_dotted_names() -> None:
    for root, network in networks(NoNorm(), SelfAttention()):
        filled = list(layers(network))
        assert len(filled) > 8
        for name, layer in filled:
            *parents, last = [root, *name.split(".")]
            again = Site(channels=CHANNELS, path=".".join(parents), initialization=OwnRule()).layer(copy.deepcopy(layer), last)
            assert torch.equal(layer.weight, again.weight), name


@pytest.mark.parametrize("norm", [NoNorm(), ConditionalBatch()])
def test_norms_and_attention_are_told_where_they_stand(norm: Any) -> None:
    norms, attention = Recording(norm), Recording(SelfAttention())
    list(networks(norms, attention))
    assert norms.seen == [
        ("g.block1.norm1", 8, 4),
        ("g.block1.norm2", 8, 8),
        ("g.block2.norm1", 8, 8),
        ("g.block2.norm2", 8, 16),
        ("d.block2.norm1", 8, 8),
        ("d.block2.norm2", 8, 8),
        ("d.block3.norm1", 8, 4),
        ("d.block3.norm2", 8, 4),
        ("d.block4.norm1", 8, 4),
        ("d.block4.norm2", 8, 4),
    ]
    assert attention.seen == [("g.block1.attention", 8, 8), ("d.block1.attention", 8, 8)]
