"""The average of the generator against closed forms (spec statement 75), with batch norm and an estimate to settle."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from ganblocks import HasEstimates, MixesSamples
from ganblocks.testing import examples
from ganblocks.training.average import Average


class Estimate(nn.Module, HasEstimates):
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


class Norm(nn.BatchNorm1d, MixesSamples):
    pass


class Network(nn.Sequential):
    def forward(self, z: Tensor, label: None = None) -> Tensor:
        return super().forward(z)


def network() -> Network:
    torch.manual_seed(0)
    return Network(nn.Linear(2, 3), Norm(3), Estimate())


def inputs(n: int) -> tuple[Tensor, None]:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0)), None


def parameters(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.statement(75)
@examples(30)
@given(decay=st.floats(0, 1), steps=st.integers(1, 10))
def test_a_constant_source_is_approached_geometrically(decay: float, steps: int) -> None:
    live = network()
    average, first = Average(live, inputs, decay), parameters(live)
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
    copying, still, first = Average(live, inputs, 0.0), Average(live, inputs, 1.0), parameters(live)
    with torch.no_grad():
        for p in live.parameters():
            p.normal_()
    copying.update(1)
    still.update(1)
    assert torch.equal(parameters(copying.network), parameters(live))
    assert torch.equal(parameters(still.network), first)


def test_before_its_start_the_average_is_the_live_network() -> None:
    live = network()
    average = Average(live, inputs, 0.9, start=100)
    with torch.no_grad():
        live[0].bias.add_(1.0)
    average.update(100)
    assert torch.equal(parameters(average.network), parameters(live))
    with torch.no_grad():
        live[0].bias.add_(1.0)
    average.update(101)
    torch.testing.assert_close(average.network[0].bias, live[0].bias - 0.9)


@pytest.mark.statement(38, 39, 75)
def test_estimates_settle_from_the_live_ones_without_touching_the_live_network() -> None:
    live = network().train()
    average = Average(live, inputs, 0.5)
    live(torch.randn(8, 2))
    before = copy.deepcopy(live.state_dict())
    settled = average.settled()
    assert settled[2].settled == 20
    assert not any(module.training for module in settled.modules())
    assert not any(p.requires_grad for p in settled.parameters())
    assert all(module.training for module in live.modules())
    assert all(torch.equal(before[name], value) for name, value in live.state_dict().items())
    average.update(1)
    assert average.settled()[2].settled == 20  # from the live estimate anew, not from its own


def test_running_statistics_belong_to_the_averaged_weights() -> None:
    live = network().train()
    average = Average(live, inputs, 0.9)
    with torch.no_grad():
        live[0].weight.mul_(3.0)
    for _ in range(20):
        live(torch.randn(64, 2))
    average.update(1)
    settled = average.settled()
    reference = copy.deepcopy(settled)
    update_bn(inputs(1024)[0].split(64), reference)
    torch.testing.assert_close(settled[1].running_mean, reference[1].running_mean)
    torch.testing.assert_close(settled[1].running_var, reference[1].running_var)
    assert (settled[1].running_var / live[1].running_var).max() < 0.5  # those of the live network are of other weights


def test_how_often_it_settles_changes_nothing() -> None:
    averages = [Average(network(), inputs, 0.5) for _ in range(2)]
    for images in range(4):
        for average in averages:
            with torch.no_grad():
                average.live[0].weight.add_(1.0)
            average.update(images)
        averages[0].settled()
    one, other = (average.settled().state_dict() for average in averages)
    assert all(torch.equal(one[name], other[name]) for name in one)
    fresh = Average(averages[0].live, inputs, 0.5)
    fresh.load_state_dict(one)
    assert all(torch.equal(one[name], value) for name, value in fresh.settled().state_dict().items())
