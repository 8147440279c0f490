"""Weights and estimates of several layers together: the same numbers as of each layer alone, bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from ganblocks_spectral.spectral import Spectral, SpectralNorm
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganblocks.weights import advance_estimates, settle_estimates, shared_weights

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(6, 5),
    "wide": lambda: nn.Linear(6, 9, bias=False),
    "conv": lambda: nn.Conv2d(3, 4, 3, padding=1),
    "transposed": lambda: nn.ConvTranspose2d(3, 4, 4, stride=2),
    "embedding": lambda: nn.Embedding(7, 5),
}
INPUTS: dict[str, Callable[[], Tensor]] = {
    "linear": lambda: torch.randn(2, 6),
    "wide": lambda: torch.randn(2, 6),
    "conv": lambda: torch.randn(2, 3, 5, 5),
    "transposed": lambda: torch.randn(2, 3, 5, 5),
    "embedding": lambda: torch.tensor([3, 0]),
}
Names = list[str]
names = st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=5)
seeds = st.integers(0, 2**32 - 1)


def network(seed: int, chosen: Names) -> nn.ModuleList:
    """Normalised layers in channels_last, with weights that have moved since their estimates were settled."""
    torch.manual_seed(seed)
    options = [Spectral(), Spectral(iterations=2), Spectral(eps=1e-8)]
    layers = nn.ModuleList([options[i % 3].wrap(LAYERS[name]()) for i, name in enumerate(chosen)])
    for parameter in layers.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return layers.to(memory_format=torch.channels_last)


def outputs(layers: nn.ModuleList, chosen: Names, seed: int) -> list[Tensor]:
    """Two forwards of each layer."""
    torch.manual_seed(seed)
    return [layer(INPUTS[name]()) for _ in range(2) for layer, name in zip(layers, chosen, strict=True)]


def one() -> SpectralNorm:
    torch.manual_seed(0)
    return Spectral().wrap(nn.Linear(4, 3))


@given(seeds, names)
def test_shared_weights_give_the_same_outputs_and_gradients(seed: int, chosen: Names) -> None:
    layers = network(seed, chosen)
    weights, alone = [layer.weight for layer in layers], outputs(layers, chosen, seed)
    with shared_weights(layers):
        assert all(torch.equal(layer.weight, weight) for layer, weight in zip(layers, weights, strict=True))
        shared = outputs(layers, chosen, seed)
    for left, right in zip(alone, shared, strict=True):
        torch.testing.assert_close(left, right)  # torch's convolution rounds as its input happens to lie in memory
    parameters = list(layers.parameters())
    grads = [torch.autograd.grad(sum(y.square().sum() for y in result), parameters) for result in (alone, shared)]
    for left, right in zip(*grads, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)  # two uses add up before the division, or after it


@given(seeds, names, st.booleans())
def test_together_estimates_advance_as_each_alone(seed: int, chosen: Names, settle: bool) -> None:
    layers = network(seed, chosen)
    each = copy.deepcopy(layers)
    if settle:
        settle_estimates(layers, 3)
    else:
        advance_estimates(layers)
    for layer in each:
        layer.settle(3) if settle else layer.advance()  # type: ignore[operator]
    for left, right in zip(layers.buffers(), each.buffers(), strict=True):
        assert torch.equal(left, right)


@given(seeds, names)
def test_second_derivatives_are_the_same(seed: int, chosen: Names) -> None:
    layers = network(seed, chosen).double()

    def curvature(results: list[Tensor]) -> tuple[Tensor, ...]:
        weights = [layer.parameter for layer in layers]  # type: ignore[union-attr]
        first = torch.autograd.grad(sum(y.square().sum() for y in results), weights, create_graph=True)  # type: ignore[arg-type]
        return torch.autograd.grad(sum(grad.square().sum() for grad in first), weights)  # type: ignore[arg-type, return-value]

    def results() -> list[Tensor]:
        torch.manual_seed(seed)
        inputs = [INPUTS[name]() for name in chosen]
        return [layer(x.double() if x.is_floating_point() else x) for layer, x in zip(layers, inputs, strict=True)]

    alone = curvature(results())
    with shared_weights(layers):
        shared = curvature(results())
    for left, right in zip(alone, shared, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12)


def test_a_layer_that_is_not_used_gets_no_gradient() -> None:
    layers = nn.ModuleList([one(), one()])
    with shared_weights(layers):
        layers[0](torch.ones(1, 4)).sum().backward()
    assert layers[0].layer.weight.grad is not None  # type: ignore[union-attr]
    assert layers[1].layer.weight.grad is None  # type: ignore[union-attr]


CHANGES: dict[str, Callable[[SpectralNorm], object]] = {
    "weight in place": lambda norm: torch.no_grad()(lambda: norm.parameter.add_(1))(),
    "weight replaced": lambda norm: setattr(norm.layer, "weight", nn.Parameter(torch.ones(3, 4))),
    "estimate": lambda norm: norm.u.mul_(2),
    "estimate advanced": lambda norm: (norm.u.fill_(1), norm.advance()),
    "frozen": lambda norm: norm.requires_grad_(False),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_changes_within_the_block_counts(change: Callable[[SpectralNorm], object]) -> None:
    norm, x = one(), torch.ones(2, 4)
    with shared_weights(norm):
        _ = norm(x)
        change(norm)
        inside = norm(x)
    outside = norm(x)
    assert torch.equal(inside, outside)
    assert inside.requires_grad == outside.requires_grad


def test_a_frozen_weight_that_learns_again_within_the_block_gets_its_gradient() -> None:
    norm = one().requires_grad_(False)
    with shared_weights(norm):
        norm.requires_grad_(True)
        norm(torch.ones(1, 4)).sum().backward()
    assert norm.parameter.grad is not None


def test_after_the_block_nothing_is_shared_even_if_it_raised() -> None:
    norm = one()
    with pytest.raises(RuntimeError, match="stop"), shared_weights(norm):
        raise RuntimeError("stop")
    assert norm.weight is not norm.weight


class _Products(TorchDispatchMode):
    """Counts matrix-vector products."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += function.overloadpacket is torch.ops.aten.mv
        return function(*args, **(kwargs or {}))


def test_within_the_block_each_weight_is_derived_once() -> None:
    layers = nn.ModuleList([one(), one()])
    with _Products() as alone:
        for _ in range(3):
            [layer(torch.ones(1, 4)) for layer in layers]
    with _Products() as shared, shared_weights(layers):
        for _ in range(3):
            [layer(torch.ones(1, 4)) for layer in layers]
    assert (alone.count, shared.count) == (6, 2)


def test_a_block_within_a_block_uses_the_outer_one_s_weights() -> None:
    layer = one()
    with shared_weights(layer):
        outer = layer.weight
        with shared_weights(layer):
            assert layer.weight is outer
        assert layer.weight is outer


def test_a_gradient_at_the_input_leaves_the_shared_graph_to_other_outputs() -> None:
    """As a gradient penalty takes it, in a forward of its own, without ``retain_graph``."""
    norm, x = one(), torch.ones(2, 4, requires_grad=True)
    with shared_weights(norm):
        loss = norm(torch.ones(2, 4)).square().sum()
        torch.autograd.grad(norm(x).sum(), x)
    loss.backward()
    assert norm.parameter.grad is not None
