"""Tables of channels, blocks with attention, and errors."""

from __future__ import annotations

import pytest
from ganblocks_resnet.layout import DISCRIMINATOR, GENERATOR, blocks_with_attention, discriminator_stages, generator_stages
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import ImageSpec, PlacementError, Site, Size, as_size, sides

SITE = Site(channels=3, path="discriminator")


def up(size: Size, width: int = 64, multipliers: tuple[int, ...] | None = None) -> list[tuple[int, int, Size]]:
    stages = generator_stages(ImageSpec(3, size), SITE, width, multipliers)
    assert all(sides(stage.out_size) == tuple(2 * side for side in sides(stage.in_size)) for stage in stages)
    return [(stage.in_channels, stage.out_channels, stage.out_size) for stage in stages]


def down(
    size: Size, width: int = 64, multipliers: tuple[int, ...] | None = None, halvings: int | None = None
) -> list[tuple[int, int, Size]]:
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
    assert up(1024, 1, (1,) * 9)[-1] == (1, 1, 1024)
    assert up(96, 1, (4, 4, 4, 4, 2, 1))[0] == (4, 4, 6), "from 3×3 in five blocks"
    assert down(32, 32, (1, 2, 4, 4)) == [(3, 32, 16), (32, 64, 8), (64, 128, 8), (128, 128, 8)]
    assert down(48, 2, (1, 2), 2) == [(3, 2, 24), (2, 4, 12)]


@pytest.mark.parametrize(
    ("size", "like", "smallest"),
    [(28, 16, 7), (20, 16, 5), (24, 16, 6), (48, 32, 12), (40, 32, 10), (96, 64, 6), (112, 64, 7), ((64, 128), 64, (4, 8))],
)
def test_other_sizes_have_the_channels_of_that_with_as_many_doublings(size: Size, like: int, smallest: Size) -> None:
    def channels(stages: list[tuple[int, int, Size]]) -> list[tuple[int, int]]:
        return [row[:2] for row in stages]

    assert channels(up(size)) == channels(up(like))
    assert channels(down(size)) == channels(down(like))
    assert down(size)[-1][2] == smallest


def test_512_has_the_tables_of_the_biggan_code() -> None:
    assert up(512, 1) == [
        (16, 16, 8), (16, 8, 16), (8, 8, 32), (8, 4, 64), (4, 2, 128), (2, 1, 256), (1, 1, 512)
    ]  # fmt: skip
    assert down(512, 1) == [
        (3, 1, 256), (1, 1, 128), (1, 2, 64), (2, 4, 32), (4, 8, 16), (8, 8, 8), (8, 16, 4), (16, 16, 4)
    ]  # fmt: skip


@given(st.sampled_from(sorted(GENERATOR)), st.sampled_from([4, 6, 7, (4, 8), (8, 5)]), st.integers(1, 5))
def test_tables_agree_between_players(doublings: int, start: Size, width: int) -> None:
    """Attention at one size is possible in both networks, save at the image's own."""
    size = as_size([side << doublings for side in sides(start)])
    ups, downs = {row[2] for row in up(size, width)}, {row[2] for row in down(size, width)}
    assert ups - {size} <= downs
    assert set(GENERATOR) == set(DISCRIMINATOR)


@pytest.mark.parametrize(
    ("sizes", "blocks"),
    [((64,), {"block1"}), ((32,), {"block2"}), ((8, 16), {"block3", "block4"}), ((4,), {"block5"}), ((), set())],
)
def test_attention_follows_the_first_block_of_a_size(sizes: tuple[int, ...], blocks: set[str]) -> None:
    assert blocks_with_attention(SITE, discriminator_stages(ImageSpec(3, 128), SITE, 1, None, None), sizes) == blocks


def message(call: object, *args: object) -> str:
    with pytest.raises(PlacementError) as caught:
        call(*args)  # type: ignore[operator]
    assert caught.value.where == "discriminator"
    return str(caught.value)


def test_misfits_say_what_works() -> None:
    for build in (up, down):
        assert "got 100×100 pixels; use images of 96×96 or 112×112 pixels" in message(build, 100)
        assert "got 16×200 pixels; use images of 16×128 or 32×224 pixels" in message(build, (16, 200))
    text = message(up, 96, 64, (4, 2, 1))
    assert "3 multipliers make 2 blocks, which lead from no map of at most 8×8 to 96×96" in text
    assert "name 5 (from 6×6 on) or 6 (from 3×3 on), such as multipliers = [4, 4, 4, 2, 1]" in text
    assert "such as multipliers = [16, 16, 16, 8, 8, 4, 2, 1, 1]" in message(up, 1024)
    assert "such as multipliers = [1, 1, 1, 2, 4, 8, 8, 16, 16]" in message(down, 1024)
    text = message(down, 128, 64, (1, 2))
    assert "2 blocks cannot halve the size 5 times; set halvings = 2, or name 5 multipliers" in text
    assert "48×48 pixels cannot be halved 5 times; set halvings = 4" in message(down, 48, 1, (1,) * 5, 5)
    assert "48×200 pixels cannot be halved 4 times; set halvings = 3" in message(down, (48, 200), 1, (1,) * 5, 4)


def test_attention_at_a_size_that_never_occurs() -> None:
    stages = discriminator_stages(ImageSpec(3, 32), SITE, 1, None, None)
    text = message(blocks_with_attention, SITE, stages, (16, 32, 4))
    assert "attention_at names 4, 32, but feature maps are 8×8, 16×16; set attention_at = [8, 16]" in text
    rectangles = discriminator_stages(ImageSpec(3, (64, 128)), SITE, 1, None, None)
    assert blocks_with_attention(SITE, rectangles, (16,)) == {"block2"}
    assert "feature maps are 4×8, 8×16, 16×32, 32×64; set attention_at = [32]" in message(
        blocks_with_attention, SITE, rectangles, (64,)
    )
