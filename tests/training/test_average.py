"""The average of the generator against closed forms (spec statement 75), with batch norm and an estimate to settle."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Maintained
from ganblocks.testing import examples
from ganblocks.training.average import Average


class Estimate(nn.Module, Maintained):
    settled: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.register_buffer("settled", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight

    def advance(self) -> None: ...

    def settle(self, n: int = 20) -> None:
        self.settled += n


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), Estimate())


def parameters(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.statement(75)
@examples(30)
@given(decay=st.floats(0, 1), steps=st.integers(1, 10))
def test_a_constant_source_is_approached_geometrically(decay: float, steps: int) -> None:
    live = network()
    average, first = Average(live, decay), parameters(live)
    with torch.no_grad():
        for p in live.parameters():
            p.add_(1.0)
    for _ in range(steps):
        average.update(images_seen=1)
    expected = parameters(live) + decay**steps * (first - parameters(live))
    torch.testing.assert_close(parameters(average.network), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.statement(75)
def test_decay_zero_copies_and_decay_one_never_moves() -> None:
    live = network()
    copying, still, first = Average(live, 0.0), Average(live, 1.0), parameters(live)
    with torch.no_grad():
        for p in live.parameters():
            p.normal_()
    copying.update(1)
    still.update(1)
    assert torch.equal(parameters(copying.network), parameters(live))
    assert torch.equal(parameters(still.network), first)


def test_before_its_start_the_average_is_the_live_network() -> None:
    live = network()
    average = Average(live, 0.9, start=100)
    with torch.no_grad():
        live[0].bias.add_(1.0)
    average.update(100)
    assert torch.equal(parameters(average.network), parameters(live))
    with torch.no_grad():
        live[0].bias.add_(1.0)
    average.update(101)
    torch.testing.assert_close(average.network[0].bias, live[0].bias - 0.9)


@pytest.mark.statement(38, 39, 75)
def test_buffers_are_copied_and_estimates_settle_without_touching_the_live_network() -> None:
    live = network().train()
    average = Average(live, 0.5)
    live(torch.randn(8, 2))
    before = copy.deepcopy(live.state_dict())
    settled = average.settled()
    assert torch.equal(settled[1].running_mean, live[1].running_mean)
    assert settled[2].settled == 20
    assert not settled.training
    assert not any(p.requires_grad for p in settled.parameters())
    assert live.training
    assert all(torch.equal(before[name], value) for name, value in live.state_dict().items())
    assert average.settled()[2].settled == 20  # from the live estimate anew, not from its own
