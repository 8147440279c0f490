"""Folded resampling against the plain form, in float64: values, gradients, and gradients of gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from ganblocks_resnet import resampling
from ganblocks_resnet.resampling import downsample, folded_upsample_then, then_downsample, upsample, upsample_then
from ganblocks_spectral.spectral import Spectral
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ganblocks.testing import examples

Resampled = Callable[[nn.Module, Tensor], Tensor]
few = examples(20)
seeds = st.integers(0, 2**32 - 1)
counts = st.integers(1, 5)
sizes = st.integers(1, 6)


def plain_up(conv: nn.Module, x: Tensor) -> Tensor:
    return conv(x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


def plain_down(conv: nn.Module, x: Tensor) -> Tensor:
    return conv(x).unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def conv3x3(seed: int, into: int, out: int, bias: bool = True) -> nn.Conv2d:
    layer = nn.Conv2d(into, out, 3, padding=1, bias=bias).double()
    with torch.no_grad():
        for i, parameter in enumerate(layer.parameters()):
            parameter.copy_(normal(seed + i, *parameter.shape))
    return layer


def first_and_second(function: Resampled, conv: nn.Conv2d, x: Tensor) -> list[Tensor]:
    """The value, the gradients of a smooth function of it, and the gradients of the squared norm of those."""
    leaves = [x.clone().requires_grad_(), *conv.parameters()]
    y = function(conv, leaves[0])
    grads = torch.autograd.grad(y.sin().sum(), leaves, create_graph=True)
    seconds = torch.autograd.grad(sum((grad**2).sum() for grad in grads), leaves)
    return [y, *grads, *seconds]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("folded", "plain", "factor"), [(folded_upsample_then, plain_up, 1), (then_downsample, plain_down, 2)])
@few
@given(seeds, counts, counts, counts, sizes, sizes)
def test_folded_is_plain(
    folded: Resampled,
    plain: Resampled,
    factor: int,
    bias: bool,
    seed: int,
    batch: int,
    into: int,
    out: int,
    high: int,
    wide: int,
) -> None:
    conv = conv3x3(seed, into, out, bias)
    x = normal(seed + 9, batch, into, factor * high, factor * wide)
    pairs = zip(first_and_second(folded, conv, x), first_and_second(plain, conv, x), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("function", "plain"), [(upsample_then, plain_up), (then_downsample, plain_down)])
@pytest.mark.parametrize("fold_from", [1, 10_000])
def test_weight_norm_is_folded_too(
    function: Resampled, plain: Resampled, fold_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "FOLD_FROM", fold_from)
    conv = Spectral().wrap(conv3x3(1, 3, 5))
    x = normal(2, 2, 3, 4, 6)
    torch.testing.assert_close(function(conv, x), plain(conv, x), rtol=1e-10, atol=1e-10)


def test_large_batches_fold_and_small_ones_do_not() -> None:
    def products(batch: int) -> int:
        with FlopCounterMode(display=False) as counter:
            upsample_then(conv, normal(0, batch, 2, 16, 16))
        return counter.get_total_flops() // (batch * 16 * 16 * 2 * 2 * 2)  # folding the kernel takes less than one per input

    conv = conv3x3(0, 2, 2)
    assert (products(3), products(4)) == (36, 16)


@pytest.mark.statement(65)
@few
@given(seeds, counts, counts, sizes, sizes)
def test_mean_undoes_upsampling(seed: int, batch: int, channels: int, high: int, wide: int) -> None:
    x = normal(seed, batch, channels, high, wide)
    assert torch.equal(downsample(upsample(x)), x)


@pytest.mark.statement(66)
@few
@given(seeds, counts, counts, sizes)
def test_pointwise_convolution_commutes(seed: int, into: int, out: int, size: int) -> None:
    conv = nn.Conv2d(into, out, 1).double()
    x = normal(seed, 2, into, 2 * size, 2 * size)
    torch.testing.assert_close(conv(downsample(x)), downsample(conv(x)), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(conv(upsample(x)), upsample(conv(x)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("function", [upsample_then, folded_upsample_then, then_downsample])
def test_memory_format_is_kept(function: Resampled) -> None:
    conv = conv3x3(0, 8, 8).float().to(memory_format=torch.channels_last)
    x = normal(1, 4, 8, 16, 16).float().to(memory_format=torch.channels_last).requires_grad_()
    y = function(conv, x)
    y.square().sum().backward()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("function", "plain"), [(folded_upsample_then, plain_up), (then_downsample, plain_down)])
def test_kernel_is_folded_before_autocast_rounds_it(function: Resampled, plain: Resampled) -> None:
    """A single lit pixel shows the kernel: every entry is the exact sum, rounded once."""
    conv = conv3x3(0, 1, 6, bias=False).float()
    x = torch.zeros(1, 1, 6, 6)
    x[..., 2, 3] = 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = function(conv, x)
    exact = plain(conv.double(), x.double())
    assert ours.dtype == torch.bfloat16
    assert torch.equal(ours, exact.bfloat16())
