"""Controls that are sized like the block that they replace."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ganblocks_attention.global_context import GlobalContext
from ganblocks_attention.non_local import NonLocal
from ganblocks_attention.none import Nothing
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_attention.sizing import MOST_APART, closest_width
from ganblocks_attention.squeeze_excitation import SqueezeExcitation
from ganblocks_attention.windowed import Windowed
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import PlacementError, Site, discover
from ganblocks.study import costs
from ganblocks.testing import examples

BOTTLENECKS = [GlobalContext, SqueezeExcitation]
BLOCKS = ["self_attention", "multi_head", "non_local", "linear", "windowed", "residual"]
both = pytest.mark.parametrize("control", BOTTLENECKS)


def count(component: Any, channels: int, size: int = 16) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in component.build(Site(channels=channels, size=size)).parameters())


@both
@given(eighths=st.integers(1, 256))
def test_by_default_they_have_self_attention_s_size(control: Any, eighths: int) -> None:
    size, own = count(SelfAttention(), 8 * eighths), count(control(), 8 * eighths)
    assert abs(own - size) <= (0.007 * size if control is GlobalContext else 0)
    assert own == count(control(like=SelfAttention()), 8 * eighths)


@both
@pytest.mark.parametrize("channels", [64, 128, 256, 512])
@pytest.mark.parametrize("name", [*BLOCKS, "global_context", "squeeze_excitation"])
def test_like_a_block_they_have_its_size(name: str, channels: int, control: Any) -> None:
    like = discover().create("attention", name)
    size = count(like, channels)
    assert abs(count(control(like=like), channels) - size) <= MOST_APART * size


def test_what_counts_as_one_size_is_what_a_study_says() -> None:
    assert MOST_APART == costs.MOST_APART


@both
@examples(100)
@given(channels=st.integers(1, 40))
def test_at_any_width_they_have_self_attention_s_size_or_say_why_not(control: Any, channels: int) -> None:
    target = 5 * channels * channels // 4
    try:
        own = count(control(), channels) - 1
    except PlacementError:
        own = None
    assert own is not None or channels % 8
    assert own is None or abs(own - target) <= MOST_APART * target


@examples(200)
@given(slope=st.integers(1, 50), curve=st.integers(0, 9), start=st.integers(0, 50), target=st.integers(1, 5000))
def test_no_other_width_comes_closer(slope: int, curve: int, start: int, target: int) -> None:
    def weights(width: int) -> int:
        return start + slope * width + curve * width * width

    best = abs(weights(closest_width(weights, target)) - target)
    assert best == min(abs(weights(width) - target) for width in range(1, target + 2))


@both
@pytest.mark.parametrize(
    ("options", "channels", "words"),
    [
        ({"reduction": 3}, 16, "use reduction = 2"),
        ({"reduction": 8}, 16, "bottleneck of width 2.*use reduction = 4"),
        ({"reduction": 1}, 3, "bottleneck of width 3.*; a wider network"),
        ({"reduction": 2, "like": SelfAttention()}, 16, "both reduction and like.*leave reduction out, or leave like out"),
        ({"like": Nothing()}, 16, "like has no weights"),
        ({"like": Windowed(window=2, heads=1, head_width=1)}, 16, "no width.* of the 73 weights of like; .*leave like out"),
        ({"like": NonLocal(reduction=16)}, 16, "leave like out"),
        ({}, 4, "weights of self_attention.*use reduction = 1"),
        ({}, 15, "weights of self_attention.*use reduction = 3"),
        ({"like": SelfAttention()}, 12, "reduction divides"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_fix(control: Any, options: dict[str, Any], channels: int, words: str) -> None:
    site = Site(channels=channels, size=4, path="generator.block2.attention")
    with pytest.raises(PlacementError, match=words) as caught:
        control(**options).build(site)
    assert "generator.block2.attention" in str(caught.value)


@both
@given(channels=st.integers(4, 64))
def test_the_hinted_reduction_fits(control: Any, channels: int) -> None:
    try:
        count(control(), channels)
    except PlacementError as refused:
        reduction = int(str(refused).partition("use reduction = ")[2].partition(",")[0])
        assert count(control(reduction=reduction), channels)


def test_one_key_is_refused_where_there_is_a_map_only() -> None:
    with pytest.raises(PlacementError, match="one key"):
        GlobalContext().build(Site(channels=16, size=1))
    assert SqueezeExcitation().build(Site(channels=16, size=1))(torch.ones(1, 16, 1, 1)).shape == (1, 16, 1, 1)
