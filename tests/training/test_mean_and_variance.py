"""The moments of channels are those of torch.var_mean, bit for bit, in every memory layout and precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks.testing import examples
from ganblocks.training import batch_statistics
from ganblocks.training.batch_statistics import mean_and_variance


def var_mean(x: Tensor) -> Tensor:
    var, mean = torch.var_mean(x.float(), [d for d in range(x.ndim) if d != 1])
    return torch.stack([mean, var])


@examples(100)
@given(
    seed=st.integers(0, 2**16),
    shape=st.sampled_from([(64, 8, 4, 4), (64, 3, 9, 7), (2, 1, 1, 1), (300, 5), (16, 4, 6, 2, 2)]),
    scale=st.floats(1e-3, 1e3),
    mean=st.floats(-100, 100),
    channels_last=st.booleans(),
)
def test_equal_to_torch_s_bit_for_bit(
    seed: int, shape: tuple[int, ...], scale: float, mean: float, channels_last: bool
) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale + mean
    if channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(mean_and_variance(x), var_mean(x))


def test_parts_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(64, 8, 4, 4, generator=torch.Generator().manual_seed(0)) + 3
    whole = mean_and_variance(x)
    for part in (1, 100, 1000):
        monkeypatch.setattr(batch_statistics, "PART", part)
        assert torch.equal(mean_and_variance(x), whole)


def test_a_constant_channel_has_no_variance_and_bfloat16_is_read_as_float32() -> None:
    assert mean_and_variance(torch.full((64, 2, 8, 8), 0.1)).tolist() == var_mean(torch.full((64, 2, 8, 8), 0.1)).tolist()
    x = torch.randn(32, 4, 4, 4, generator=torch.Generator().manual_seed(1)).bfloat16()
    assert torch.equal(mean_and_variance(x), var_mean(x))


def test_what_is_not_finite_stays_so() -> None:
    x = torch.randn(8, 3, 2, 2)
    x[0, 1] = torch.nan
    assert mean_and_variance(x).isnan().any(0).tolist() == [False, True, False]
