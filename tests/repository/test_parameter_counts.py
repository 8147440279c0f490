"""The papers' models, as recipes say them, have the papers' numbers of parameters: counted on the meta device, without memory.

Layer by layer they are held in plugins/ganblocks-resnet/tests/test_networks.py. What recipes/sagan.toml starts from is held to
the bit.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch
from torch import nn

from ganblocks import Player, Recipe, Registry, discover, read_recipe
from ganblocks.assembly import build_discriminator, build_generator
from tests.cli.commands import ROOT

SAGAN, SNGAN, PROJECTION = "sagan-imagenet128", "sngan-cifar10", "sngan-projection-imagenet128"
CIFAR10 = {"data.use": "cifar10", "generator.width": 256, "discriminator.width": 128, "*.attention_at": [16]}
TINY_IMAGENET = {"data.size": 64, "data.classes": 100, "*.attention_at": [32]}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover()


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def counts(recipe: Recipe) -> dict[Player, int]:
    image = recipe.data.dataset.describe()
    with torch.device("meta"):
        generator, discriminator = build_generator(recipe, image, 0), build_discriminator(recipe, image, 0)
    return {Player.GENERATOR: count(generator), Player.DISCRIMINATOR: count(discriminator)}


@pytest.mark.statement(67)
@pytest.mark.parametrize(
    ("name", "ablation", "overrides", "generator", "discriminator"),
    [
        (SAGAN, "none", {}, 41_996_931, 39_443_137),
        (SAGAN, "feat8", {}, 43_307_652, 39_770_818),
        (SAGAN, "feat16", {}, 42_324_612, 39_525_058),
        (SAGAN, None, {}, 42_078_852, 39_463_618),
        (SAGAN, "feat64", {}, 42_017_412, 39_448_258),
        # a residual block of 81,721 or 20,880 weights and its gate, in place of attention's 81,920 or 20,480 and its gate
        (SAGAN, "residual", {}, 41_996_931 + 81_721 + 1, 39_443_137 + 20_880 + 1),
        (SAGAN, "none", {"generator.norm": "batch"}, 32_150_787, 39_443_137),
        (PROJECTION, None, {}, 41_996_931, 30_041_857),
        (PROJECTION, None, {"data.size": 64, "discriminator.halvings": 5}, 17_974_915, 11_165_441),
        (SNGAN, "projection", {}, 4_304_387, 1_055_104),
        (SNGAN, None, {}, 4_276_739, 1_053_824),
        (SAGAN, None, CIFAR10, 4_386_308, 1_075_586),
        (SAGAN, None, TINY_IMAGENET, 12_811_396, 19_650_242),
        # 900 classes more: 2 tables in each of 8 norms, of 2,880 channels in all; and 1,024 features of D
        (SAGAN, None, TINY_IMAGENET | {"data.classes": 1000}, 17_995_396, 19_650_242 + 900 * 1024),
    ],
)
def test_parameters_of_the_papers_models(
    registry: Registry, name: str, ablation: str | None, overrides: dict[str, Any], generator: int, discriminator: int
) -> None:
    recipe = read_recipe(ROOT / "recipes" / f"{name}.toml", overrides, ablation, registry)
    assert counts(recipe) == {Player.GENERATOR: generator, Player.DISCRIMINATOR: discriminator}


SAGAN_STARTS_FROM = "f39c9cfb1c249385a8ad6ba5d08698f0554a423e41b4542d33442d3d6940f6c8"
"""SHA-256 of the names, shapes and initial values of both networks' parameters at seed 0."""


def test_what_the_desk_scale_recipe_starts_from_has_not_changed(registry: Registry) -> None:
    """Whoever changes where a layer stands, what it is called, or how it is filled changes every published number."""
    recipe = read_recipe(ROOT / "recipes" / "sagan.toml", registry=registry)
    digest = hashlib.sha256()
    for build in (build_generator, build_discriminator):
        for name, parameter in build(recipe, recipe.data.dataset.describe(), 0).named_parameters():
            digest.update(f"{name} {tuple(parameter.shape)};".encode())
            digest.update(parameter.detach().contiguous().numpy().tobytes())
    assert digest.hexdigest() == SAGAN_STARTS_FROM
