"""Residual blocks against the plain order of the papers, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ganblocks_attention.none import Nothing
from ganblocks_attention.self_attention import SelfAttention
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.layer import Layer
from ganblocks_norms.none import NoNorm
from ganblocks_resnet.blocks import DownBlock, FirstBlock, UpBlock
from ganblocks_resnet.layout import Stage
from ganblocks_spectral.spectral import Spectral
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from ganblocks import Classes, Site
from ganblocks.testing import examples

few = examples(10)
seeds = st.integers(0, 2**32 - 1)
channels = st.integers(1, 6)
CLASSES = 3


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def shaken(block: nn.Module, seed: int) -> Any:
    """The block in float64 with every parameter random: tables, gates and biases too."""
    block = block.double()
    with torch.no_grad():
        for i, parameter in enumerate(block.parameters()):
            parameter.copy_(normal(seed + i, *parameter.shape))
    return block


def site(into: int, size: int) -> Site:
    return Site(channels=into, size=size, condition=Classes(CLASSES), weight_norm=Spectral())


def labels(batch: int) -> Tensor:
    return torch.arange(batch) % CLASSES


@pytest.mark.statement(64)
@few
@given(seeds, channels, channels, st.sampled_from([(2, 3), (4, 16)]))
def test_up_block_is_the_papers(seed: int, into: int, out: int, shape: tuple[int, int]) -> None:
    """Also where the batch is large enough to be folded: 4 images of 16×16."""
    batch, size = shape
    stage = Stage("block1", into, out, size, 2 * size)
    block = shaken(UpBlock(site(into, size), stage, ConditionalBatch(), None), seed).eval()
    x, y = normal(seed + 99, batch, into, size, size), labels(batch)
    up = interpolate(relu(block.norm1(x, y)), scale_factor=2)
    expected = block.conv2(relu(block.norm2(block.conv1(up), y))) + block.shortcut(interpolate(x, scale_factor=2))
    torch.testing.assert_close(block(x, y), expected, rtol=1e-9, atol=1e-9)


@few
@given(seeds, channels, channels, st.integers(1, 4))
def test_first_block_leaves_the_raw_image_alone(seed: int, into: int, out: int, half: int) -> None:
    stage = Stage("block1", into, out, 2 * half, half)
    block = shaken(FirstBlock(site(into, 2 * half), stage, None), seed)
    x = normal(seed + 99, 2, into, 2 * half, 2 * half)
    expected = avg_pool2d(block.conv2(relu(block.conv1(x))), 2) + block.shortcut(avg_pool2d(x, 2))
    torch.testing.assert_close(block(x, None), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.statement(64)
@pytest.mark.parametrize("norm", [NoNorm(), Layer(), ConditionalBatch()])
@few
@given(seeds, channels, channels, channels, st.integers(1, 3), st.booleans())
def test_down_block_is_the_papers(norm: Any, seed: int, into: int, hidden: int, out: int, half: int, halves: bool) -> None:
    size = 2 * half
    stage = Stage("block2", into, out, size, half if halves else size)
    block = shaken(DownBlock(site(into, size), stage, hidden, norm, None), seed).eval()
    x, y = normal(seed + 99, 2, into, size, size), labels(2)
    expected = block.conv2(relu(block.norm2(block.conv1(relu(block.norm1(x, y))), y))) + block.shortcut(x)
    expected = avg_pool2d(expected, 2) if halves else expected
    torch.testing.assert_close(block(x, y), expected, rtol=1e-9, atol=1e-9)
    assert isinstance(block.shortcut, nn.Identity) == (not halves and into == out)


@pytest.mark.parametrize("norm", [NoNorm(), Layer()])
@few
@given(seeds, channels, channels, st.booleans())
def test_an_activated_shortcut_starts_where_the_first_convolution_does(
    norm: Any, seed: int, into: int, out: int, halves: bool
) -> None:
    stage = Stage("block2", into, out, 4, 2 if halves else 4)
    block = shaken(DownBlock(site(into, 4), stage, out, norm, None, activated=True), seed)
    x = normal(seed + 99, 2, into, 4, 4)
    start = relu(block.norm1(x, None))
    expected = block.conv2(relu(block.norm2(block.conv1(start), None))) + block.shortcut(start)
    torch.testing.assert_close(block(x, None), avg_pool2d(expected, 2) if halves else expected, rtol=1e-9, atol=1e-9)


@few
@given(seeds, channels, channels, st.integers(1, 4))
def test_bilinear_upsampling_stands_where_nearest_does(seed: int, into: int, out: int, size: int) -> None:
    stage = Stage("block1", into, out, size, 2 * size)
    block = shaken(UpBlock(site(into, size), stage, NoNorm(), None, "bilinear"), seed)
    x = normal(seed + 99, 2, into, size, size)
    up, plain = (interpolate(part, scale_factor=2, mode="bilinear", align_corners=False) for part in (relu(x), x))
    expected = block.conv2(relu(block.conv1(up))) + block.shortcut(plain)
    torch.testing.assert_close(block(x, None), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.statement(64)
@few
@given(seeds, channels)
def test_without_its_convolutions_a_plain_block_is_the_identity(seed: int, into: int) -> None:
    block = DownBlock(Site(channels=into, size=4), Stage("block4", into, into, 4, 4), into, NoNorm(), None).double()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = normal(seed, 2, into, 4, 4)
    kept = x.clone()
    assert torch.equal(block(x, None), x)
    assert torch.equal(x, kept)  # a ReLU in place would have changed it


@pytest.mark.parametrize("kind", ["up", "first", "down"])
def test_attention_follows_the_sum(kind: str) -> None:
    def build(attention: Any) -> Any:
        block_site = site(8, 8)
        if kind == "up":
            return UpBlock(block_site, Stage("block1", 8, 16, 8, 16), NoNorm(), attention)
        stage = Stage("block1", 8, 16, 8, 4)
        return (
            FirstBlock(block_site, stage, attention)
            if kind == "first"
            else DownBlock(block_site, stage, 16, NoNorm(), attention)
        )

    block, bare = build(SelfAttention(gamma=2.0)), build(Nothing())
    x = normal(0, 2, 8, 8, 8).float()
    assert torch.equal(block(x, None), block.attention(bare(x, None)))
    assert not torch.allclose(block(x, None), bare(x, None))
