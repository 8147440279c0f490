"""A rule that takes gradients of gradients is heard at every site of both networks, also where another rule wraps it."""

from __future__ import annotations

import attrs
import pytest
from attrs import frozen
from torch import nn

import ganblocks
from ganblocks import Site
from ganblocks.assembly import build_game
from tests.cli.commands import ROOT


@frozen
class Asking:
    """An attention block that notes what it is told."""

    told: list[bool] = attrs.field(factory=list)

    def build(self, site: Site) -> nn.Module:
        self.told.append(site.twice_differentiable)
        return nn.Identity()


@pytest.mark.parametrize(
    ("update", "twice"),
    [
        ({"use": "alternating"}, False),
        ({"use": "lookahead"}, False),
        ({"use": "consensus"}, True),
        ({"use": "lookahead", "rule": "consensus"}, True),
        ({"use": "lookahead", "rule": {"use": "lookahead", "rule": "consensus"}}, True),
    ],
)
def test_every_site_is_told(update: dict[str, object], twice: bool) -> None:
    overrides = {"update": update, "generator.width": 8, "discriminator.width": 8}
    recipe = ganblocks.read_recipe(ROOT / "recipes" / "sagan.toml", overrides=overrides)
    block = Asking()
    recipe = attrs.evolve(
        recipe,
        generator=attrs.evolve(recipe.generator, attention=block),
        discriminator=attrs.evolve(recipe.discriminator, network=attrs.evolve(recipe.discriminator.network, attention=block)),
    )
    build_game(recipe, recipe.data.dataset.describe(), seed=0)
    assert block.told == [twice] * 4  # of both players, on paper and for real
