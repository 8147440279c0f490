"""Tables of channels, places of attention, and what cannot be."""

from __future__ import annotations

import pytest
from ganblocks_resnet.layout import DISCRIMINATOR, GENERATOR, attended, discriminator_stages, generator_stages
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import ImageSpec, Misfit, Site

SITE = Site(channels=3, path="discriminator")


def up(size: int, width: int = 64, multipliers: tuple[int, ...] | None = None) -> list[tuple[int, int, int]]:
    stages = generator_stages(ImageSpec(3, size), SITE, width, multipliers)
    assert all(stage.out_size == 2 * stage.in_size for stage in stages)
    return [(stage.in_channels, stage.out_channels, stage.out_size) for stage in stages]


def down(
    size: int, width: int = 64, multipliers: tuple[int, ...] | None = None, halvings: int | None = None
) -> list[tuple[int, int, int]]:
    stages = discriminator_stages(ImageSpec(3, size), SITE, width, multipliers, halvings)
    return [(stage.in_channels, stage.out_channels, stage.out_size) for stage in stages]


def test_sagan_at_128() -> None:
    assert up(128) == [(1024, 1024, 8), (1024, 512, 16), (512, 256, 32), (256, 128, 64), (128, 64, 128)]
    assert down(128) == [(3, 64, 64), (64, 128, 32), (128, 256, 16), (256, 512, 8), (512, 1024, 4), (1024, 1024, 4)]


def test_cifar() -> None:
    assert up(32, 256) == [(256, 256, 8), (256, 256, 16), (256, 256, 32)]
    assert down(32, 128) == [(3, 128, 16), (128, 128, 8), (128, 128, 8), (128, 128, 8)]


def test_64() -> None:
    assert up(64) == [(1024, 512, 8), (512, 256, 16), (256, 128, 32), (128, 64, 64)]
    assert [size for _, _, size in down(64)] == [32, 16, 8, 4, 4]
    assert [size for _, _, size in down(64, halvings=5)] == [32, 16, 8, 4, 2]


def test_multipliers_of_ones_own() -> None:
    assert up(32, 32, (4, 4, 2, 1)) == [(128, 128, 8), (128, 64, 16), (64, 32, 32)]
    assert up(512, 1, (1,) * 8)[-1] == (1, 1, 512)
    assert down(32, 32, (1, 2, 4, 4)) == [(3, 32, 16), (32, 64, 8), (64, 128, 8), (128, 128, 8)]
    assert down(48, 2, (1, 2), 2) == [(3, 2, 24), (2, 4, 12)]


@given(st.sampled_from(sorted(GENERATOR)), st.integers(1, 5))
def test_tables_agree_between_players(size: int, width: int) -> None:
    """Attention at one size is possible in both networks, save at the image's own."""
    ups, downs = {place[2] for place in up(size, width)}, {place[2] for place in down(size, width)}
    assert ups - {size} <= downs
    assert set(GENERATOR) == set(DISCRIMINATOR)


@pytest.mark.parametrize(
    ("sizes", "blocks"),
    [((64,), {"block1"}), ((32,), {"block2"}), ((8, 16), {"block3", "block4"}), ((4,), {"block5"}), ((), set())],
)
def test_attention_follows_the_first_block_of_a_size(sizes: tuple[int, ...], blocks: set[str]) -> None:
    assert attended(SITE, discriminator_stages(ImageSpec(3, 128), SITE, 1, None, None), sizes) == blocks


def message(call: object, *args: object) -> str:
    with pytest.raises(Misfit) as caught:
        call(*args)  # type: ignore[operator]
    assert caught.value.where == "discriminator"
    return str(caught.value)


def test_misfits_say_what_works() -> None:
    assert "only for 8, 16, 32, 64, 128, 256" in message(up, 48)
    assert "only for 8, 16, 32, 64, 128, 256" in message(down, 48)
    assert "set multipliers and halvings" in message(down, 512, 64, (1, 2))
    assert "3 multipliers make 2 blocks, which lead to 16 pixels, not to 32" in message(up, 32, 64, (4, 2, 1))
    assert "2 blocks cannot halve the size 5 times" in message(down, 128, 64, (1, 2))
    assert "48 pixels cannot be halved 5 times; set halvings to 4 or less" in message(down, 48, 1, (1,) * 5, 5)


def test_attention_at_a_size_that_never_occurs() -> None:
    stages = discriminator_stages(ImageSpec(3, 32), SITE, 1, None, None)
    text = message(attended, SITE, stages, (16, 32, 4))
    assert "attention_at names 4, 32, but feature maps after the blocks have sizes 8, 16" in text
