"""Multi-head and non-local attention against torch's own, and against SAGAN's where the forms coincide."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from ganblocks_attention.block import GlobalBlock
from ganblocks_attention.multi_head import MultiHead
from ganblocks_attention.non_local import NonLocal
from ganblocks_attention.positions import sinusoids
from ganblocks_attention.self_attention import SelfAttention
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Site
from ganblocks.testing import examples

seeds = st.integers(0, 2**20)
shapes = st.tuples(st.integers(1, 3), st.sampled_from([8, 16]), st.sampled_from([2, 3, 4]), st.sampled_from([2, 5]))
few = examples(20)


def build(component: Any, channels: int, size: tuple[int, int], seed: int = 0) -> GlobalBlock:
    built = component.build(Site(channels=channels, size=size, seed=seed)).double()
    assert isinstance(built, GlobalBlock)
    return built


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def torch_s_own(built: GlobalBlock, channels: int) -> nn.MultiheadAttention:
    """torch's module with the block's weights."""
    reference = nn.MultiheadAttention(channels, built.heads, bias=False, batch_first=True).double()
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([w.weight[:, :, 0, 0] for w in (built.query, built.key, built.value)]))
        reference.out_proj.weight.copy_(built.out.weight[:, :, 0, 0])
    return reference


@pytest.mark.parametrize("path", ["plain", "fused"])
@few
@given(shape=shapes, heads=st.sampled_from([1, 2, 4]), positions=st.sampled_from(["none", "sinusoidal"]), seed=seeds)
def test_multi_head_is_torch_s_own(path: str, shape: tuple[int, ...], heads: int, positions: str, seed: int) -> None:
    channels, size = shape[1], shape[2:]
    built = build(MultiHead(heads=heads, gamma=0.7, positions=positions, path=path), channels, size, seed)
    x, upstream = draw(shape, seed).requires_grad_(), draw(shape, seed + 1)
    placed = x if positions == "none" else x + sinusoids(channels, *size).double()
    tokens = placed.flatten(2).mT
    reference = torch_s_own(built, channels)
    gathered, attention = reference(tokens, tokens, tokens, average_attn_weights=False)
    expected, actual = x + built.gamma * gathered.mT.reshape(shape), built(x)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(built.attention_map(x)[0], attention, rtol=1e-10, atol=1e-12)
    (wanted,) = torch.autograd.grad((expected * upstream).sum(), x)
    torch.testing.assert_close(torch.autograd.grad((actual * upstream).sum(), x)[0], wanted, rtol=1e-8, atol=1e-9)


@few
@given(seed=seeds, pool=st.sampled_from([1, 2]))
def test_non_local_is_self_attention_with_one_width_throughout(seed: int, pool: int) -> None:
    """Embedded Gaussians are a softmax of unscaled products: with C/2 channels everywhere both papers' forms coincide."""
    ours = build(NonLocal(gamma=0.7, pool=pool), 16, (4, 6), seed)
    sagan = SelfAttention(gamma=0.7, reduction=2, value_ratio=2, pool=pool).build(Site(channels=16, size=(4, 6))).double()
    sagan.load_state_dict(ours.state_dict())
    x = draw((2, 16, 4, 6), seed)
    torch.testing.assert_close(ours(x), sagan(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.attention_map(x)[0], sagan.attention_map(x)[0], rtol=0, atol=1e-12)


@few
@given(seed=seeds, pool=st.sampled_from([1, 2]), width=st.sampled_from([1, 2, 4, 8]))
def test_one_head_is_self_attention_but_for_the_scale(seed: int, pool: int, width: int) -> None:
    ours = build(MultiHead(heads=1, head_width=width, gamma=0.7, pool=pool), 16, (4, 6), seed)
    options = {"reduction": 16 // width, "value_ratio": 16 // width, "scale": 1 / math.sqrt(width)}
    sagan = SelfAttention(gamma=0.7, pool=pool, **options).build(Site(channels=16, size=(4, 6))).double()
    sagan.load_state_dict(ours.state_dict())
    x = draw((2, 16, 4, 6), seed)
    torch.testing.assert_close(ours(x), sagan(x), rtol=0, atol=1e-12)


def test_non_local_is_the_equation_of_the_paper_pair_by_pair() -> None:
    built, x = build(NonLocal(gamma=0.7, pool=1), 8, (2, 3)), draw((1, 8, 2, 3), 0)
    theta, phi, g, w_z = (layer.weight[:, :, 0, 0] for layer in (built.query, built.key, built.value, built.out))
    positions = x[0].flatten(1).T.unbind()
    for i, query in enumerate(positions):
        pairs = [torch.exp((theta @ query) @ (phi @ key)) for key in positions]
        y = sum(f * (g @ key) for f, key in zip(pairs, positions, strict=True)) / sum(pairs)
        torch.testing.assert_close(built(x)[0].flatten(1)[:, i], query + built.gamma * (w_z @ y), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (8, 4)])
def test_sinusoids_are_the_transformer_s_of_row_and_column(height: int, width: int) -> None:
    encoding = sinusoids(16, height, width)
    assert encoding.shape == (16, height, width)
    for row in range(height):
        for column in range(width):
            for half, p in enumerate((row, column)):
                for i in range(4):
                    angle = p / 10_000 ** (2 * i / 8)
                    sine, cosine = encoding[8 * half + 2 * i, row, column], encoding[8 * half + 2 * i + 1, row, column]
                    assert sine.item() == pytest.approx(math.sin(angle), abs=1e-6)
                    assert cosine.item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert len(torch.unique(encoding.flatten(1).T, dim=0)) == height * width
