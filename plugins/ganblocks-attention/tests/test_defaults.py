"""What a recipe gets that says nothing: SAGAN's published code."""

from __future__ import annotations

import pytest
import torch
from attrs import asdict
from ganblocks_attention.residual import Residual
from ganblocks_attention.self_attention import SelfAttention

from ganblocks import PlacementError, Site


def test_defaults_are_those_of_the_published_code() -> None:
    assert asdict(SelfAttention()) == {"reduction": 8, "value_ratio": 2, "pool": 2, "gamma": 0.0, "scale": 1.0, "path": "auto"}
    assert asdict(Residual()) == {"reduction": 8, "value_ratio": 2, "like": None, "gated": True, "gamma": 0.0}


def test_both_start_as_the_identity_and_carry_no_bias() -> None:
    x = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
    for component in (SelfAttention(), Residual()):
        built = component.build(Site(channels=16))
        assert torch.equal(built(x), x)
        assert built.gamma == 0
        assert not any("bias" in name for name, _ in built.named_parameters())


@pytest.mark.parametrize("option", ["reduction", "value_ratio"])
def test_channels_are_divided_exactly(option: str) -> None:
    for component in (SelfAttention, Residual):
        built = component(**{"reduction": 2, "value_ratio": 2, option: 16}).build(Site(channels=16))
        assert built(torch.ones(1, 16, 4, 4)).shape == (1, 16, 4, 4)
        with pytest.raises(PlacementError, match=f"{option} = 3"):
            component(**{"reduction": 1, "value_ratio": 1, option: 4}).build(Site(channels=15))


def test_a_path_that_is_named_is_taken_whatever_the_size() -> None:
    with torch.device("meta"):
        for size in (8, 64):
            site = Site(channels=16, size=size)
            assert SelfAttention(path="fused").build(site).fused is True
            assert SelfAttention(path="plain").build(site).fused is False
