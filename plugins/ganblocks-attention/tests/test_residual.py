"""The control: as many parameters as attention, an identity at first, and local."""

from __future__ import annotations

import pytest
import torch
from ganblocks_attention.none import Nothing
from ganblocks_attention.residual import Residual
from ganblocks_attention.self_attention import SelfAttention
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Gated, PlacementError, Site
from ganblocks.testing import examples


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def hidden_width(channels: int, **options: int) -> int:
    with torch.device("meta"):
        built = Residual(**options).build(Site(channels=channels))  # type: ignore[arg-type]
    return built.branch.reduce.out_channels


def draw(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("channels", "hidden"), [(1024, 284), (512, 142), (256, 71), (128, 36), (64, 18)])
def test_hidden_widths_are_those_of_the_table(channels: int, hidden: int) -> None:
    assert hidden_width(channels) == hidden


@pytest.mark.statement(19)
@pytest.mark.parametrize("channels", [64, 128, 256, 512, 1024])
@pytest.mark.parametrize("value_ratio", [2, 8])
def test_it_has_as_many_parameters_as_the_attention_that_it_replaces(channels: int, value_ratio: int) -> None:
    site = Site(channels=channels, size=32)
    with torch.device("meta"):
        control, attention = Residual(value_ratio=value_ratio).build(site), SelfAttention(value_ratio=value_ratio).build(site)
    # at 64 channels no whole width comes closer to the paper's text (values of C/8) than 6.5 %
    limit = 0.065 if (channels, value_ratio) == (64, 8) else 0.003 if channels >= 256 and value_ratio == 2 else 0.025
    assert abs(count(control) / count(attention) - 1) < limit


@examples(100)
@given(
    channels=st.integers(1, 64).map(lambda n: 8 * n),
    reduction=st.sampled_from([2, 4, 8]),
    value_ratio=st.sampled_from([1, 2, 8]),
)
def test_no_other_width_would_come_closer(channels: int, reduction: int, value_ratio: int) -> None:
    target = 2 * channels * (channels // reduction) + 2 * channels * (channels // value_ratio)
    best = hidden_width(channels, reduction=reduction, value_ratio=value_ratio)
    distance = abs(2 * channels * best + 9 * best * best - target)
    assert all(distance <= abs(2 * channels * h + 9 * h * h - target) for h in range(1, 2 * channels))


@examples(20)
@given(seed=st.integers(0, 99), gamma=st.floats(-2, 2))
def test_it_is_the_branch_scaled_by_gamma(seed: int, gamma: float) -> None:
    block, x = Residual(gamma=gamma).build(Site(channels=16, seed=seed)).double(), draw((2, 16, 4, 4), seed)
    branch = block.branch
    h = torch.nn.functional.conv2d(x.clamp(min=0), branch.reduce.weight)
    h = torch.nn.functional.conv2d(h.clamp(min=0), branch.mix.weight, padding=1)
    h = torch.nn.functional.conv2d(h.clamp(min=0), branch.expand.weight)
    torch.testing.assert_close(block(x), x + block.gamma * h, rtol=0, atol=1e-12)
    ungated = Residual(gated=False).build(Site(channels=16, seed=seed)).double()
    torch.testing.assert_close(ungated(x), x + h, rtol=0, atol=1e-12)


@pytest.mark.statement(20)
def test_it_starts_as_the_identity_and_is_gated_by_one_parameter() -> None:
    gated, plain = Residual().build(Site(channels=16)).double(), Residual(gated=False).build(Site(channels=16))
    x = draw((2, 16, 4, 4))
    assert torch.equal(gated(x), x)
    assert isinstance(gated, Gated)
    assert not isinstance(plain, Gated)
    assert count(gated) == count(plain) + 1


@pytest.mark.statement(22)
def test_it_moves_with_the_image_but_not_with_a_permutation() -> None:
    block, x = Residual(gamma=1.0).build(Site(channels=16)).double(), draw((1, 16, 8, 8))
    moved = block(x.roll(1, 2))
    torch.testing.assert_close(moved[:, :, 3:6, 2:6], block(x).roll(1, 2)[:, :, 3:6, 2:6], rtol=0, atol=1e-12)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))

    def permute(t: Tensor) -> Tensor:
        return t.flatten(2)[:, :, order].view_as(t)

    assert (block(permute(x)) - permute(block(x))).abs().max() > 1e-3


def test_it_refuses_the_places_that_attention_refuses() -> None:
    with pytest.raises(PlacementError, match="reduction"):
        Residual().build(Site(channels=4))


def test_like_sagan_s_attention_it_is_what_it_is_by_default() -> None:
    for options in ({}, {"reduction": 4, "value_ratio": 1}, {"value_ratio": 8}):
        site = Site(channels=128, size=8)
        with torch.device("meta"):
            by_default, alike = Residual(**options).build(site), Residual(like=SelfAttention(**options)).build(site)
        assert [p.shape for p in by_default.parameters()] == [p.shape for p in alike.parameters()]


def test_what_it_is_like_changes_no_initial_value() -> None:
    one, other = (component.build(Site(channels=64)) for component in (Residual(), Residual(like=SelfAttention())))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one.parameters(), other.parameters(), strict=True))


def test_like_nothing_it_is_refused() -> None:
    with pytest.raises(PlacementError, match="no weights"):
        Residual(like=Nothing()).build(Site(channels=16))


def test_none_is_the_identity_without_parameters() -> None:
    block, x = Nothing().build(Site(channels=4)), draw((1, 4, 3, 3))
    assert torch.equal(block(x), x)
    assert count(block) == 0
