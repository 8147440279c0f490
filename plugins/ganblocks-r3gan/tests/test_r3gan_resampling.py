"""Resampling against the filter written out as a convolution."""

from __future__ import annotations

import pytest
import torch
from ganblocks_r3gan.resampling import blur, downsample, upsample
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from ganblocks.testing import examples

seeds = st.integers(0, 2**16)


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel(*weights: float) -> Tensor:
    row = torch.tensor(weights, dtype=torch.float64)
    return (torch.outer(row, row) / row.sum() ** 2)[None, None]


@examples(20)
@given(seeds, st.sampled_from([2, 4, 6]))
def test_blur_is_1_2_1(seed: int, size: int) -> None:
    x = random(seed, 3, 1, size, size)
    torch.testing.assert_close(blur(x), functional.conv2d(x, kernel(1, 2, 1), padding=1))


@examples(20)
@given(seeds, st.sampled_from([2, 4, 8]))
def test_down_is_1_3_3_1_and_up_its_adjoint_times_4(seed: int, size: int) -> None:
    x, y = random(seed, 3, 1, size, size), random(seed + 1, 3, 1, size // 2, size // 2)
    filtered = kernel(1, 3, 3, 1)
    torch.testing.assert_close(downsample(x), functional.conv2d(x, filtered, stride=2, padding=1))
    torch.testing.assert_close(upsample(y), 4 * functional.conv_transpose2d(y, filtered, stride=2, padding=1))
    assert float((upsample(y) * x).sum()) == pytest.approx(4 * float((y * downsample(x)).sum()), rel=1e-9, abs=1e-9)


def test_up_is_bilinear_inside() -> None:
    x = random(0, 2, 3, 6, 6)
    wanted = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(x)[:, :, 1:-1, 1:-1], wanted[:, :, 1:-1, 1:-1])
