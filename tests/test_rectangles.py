"""Networks of images of any proportions: what goes in and comes out, and how many parameters a rectangle may cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Classes, Doublings, ImageSpec, Player, Site, as_size, discover, sides
from ganblocks.testing import examples

LATENT = 2520
"""Every number of chunks up to 10 divides it."""
NETWORKS: dict[str, tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]] = {
    "resnet": (("resnet", {}), ("resnet", {})),
    "biggan": (("biggan", {}), ("resnet", {})),
    "dcgan": (("dcgan", {}), ("dcgan", {})),
    "r3gan": (("r3gan", {"group_width": 8}), ("r3gan", {"group_width": 8})),
}
SPATIAL = {"resnet": {"linear"}, "biggan": {"linear"}, "dcgan": {"linear", "head.linear"}, "r3gan": {"basis"}}
"""The layers that see a whole first, or last, feature map."""
starts = st.tuples(st.integers(1, 8), st.integers(1, 8))


REGISTRY = discover()


def built(use: str, image: ImageSpec) -> tuple[nn.Module, nn.Module]:
    """Both networks, narrow and on the meta device."""
    networks = []
    for player, (name, options) in zip(Player, NETWORKS[use], strict=True):
        more = {"latent": LATENT} if player is Player.GENERATOR else {"conditioning": "none"}
        component = REGISTRY.create(str(player), name, width=8, **options, **more)
        condition = Classes(image.classes) if image.classes else None
        site = Site(image.channels, image.size, image.channels, player, str(player), condition)
        with torch.device("meta"):
            networks.append(component.build(image, site))
    return networks[0], networks[1]


@pytest.mark.parametrize("use", NETWORKS)
@examples(15)
@given(starts, st.integers(1, 4), st.integers(1, 4))
def test_what_one_network_makes_the_other_takes(use: str, start: tuple[int, int], doublings: int, channels: int) -> None:
    image = ImageSpec(channels, as_size([side << doublings for side in start]), classes=3)
    up, down = built(use, image)
    label = torch.zeros(2, dtype=torch.int64, device="meta")
    made = up(torch.empty(2, LATENT, device="meta"), label)
    assert made.shape == (2, *image.shape)
    assert down(made, label).logits.shape == (2,)


@pytest.mark.parametrize("use", NETWORKS)
@examples(10)
@given(starts, st.integers(1, 4))
def test_a_rectangle_costs_parameters_only_where_a_whole_map_is_seen(use: str, start: tuple[int, int], doublings: int) -> None:
    """All other layers are those of the square that comes from 4×4 in as many doublings."""
    image = ImageSpec(3, as_size([side << doublings for side in start]), classes=3)
    way = Doublings.all(image.size, fewest=0 if use == "r3gan" else 1)[0]
    height, width = sides(way.start)
    both = zip(built(use, image), built(use, ImageSpec(3, 4 << way.count, classes=3)), strict=True)
    for mine, square in both:
        for (name, parameter), other in zip(mine.named_parameters(), square.parameters(), strict=True):
            if is_spatial(name, parameter, use):
                assert parameter.numel() * 16 == other.numel() * height * width, name
            else:
                assert parameter.shape == other.shape, name


def is_spatial(name: str, parameter: Tensor, use: str) -> bool:
    layer = name.replace(".layer.", ".").rpartition(".")[0]
    per_output = use == "dcgan" and name.startswith("head") and parameter.ndim == 1  # one bias, whatever it sees
    return not per_output and any(layer == part or (layer.endswith(f".{part}") and part == "basis") for part in SPATIAL[use])
