"""Parameters, floating point operations and memory, each against its formula."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from ganblocks_attention.global_context import GlobalContext
from ganblocks_attention.linear import LinearAttention
from ganblocks_attention.multi_head import MultiHead
from ganblocks_attention.non_local import NonLocal
from ganblocks_attention.residual import Residual
from ganblocks_attention.squeeze_excitation import SqueezeExcitation
from ganblocks_attention.windowed import Windowed
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganblocks import PlacementError, Site, discover
from ganblocks.summary import cost

PARAMETERS = {
    MultiHead(): lambda c: 4 * c * c + 1,
    MultiHead(heads=3, head_width=5, pool=2): lambda c: 4 * c * 15 + 1,
    MultiHead(positions="sinusoidal"): lambda c: 4 * c * c + 1,
    NonLocal(): lambda c: 2 * c * c + 1,
    NonLocal(reduction=4): lambda c: c * c + 1,
    LinearAttention(): lambda c: 5 * c * c // 4 + 1,
    LinearAttention(reduction=4, value_ratio=1, feature_map="elu"): lambda c: 5 * c * c // 2 + 1,
    Windowed(): lambda c: 4 * c * c + 4 * 49 + 1,
    Windowed(window=8, heads=2, head_width=8, positions="none"): lambda c: 4 * c * 16 + 1,
    GlobalContext(): lambda c: c + 2 * (5 * c // 8 - 1) * (c + 1) + 1,
    GlobalContext(reduction=16): lambda c: c * c // 8 + 9 * c // 8 + 1,
    SqueezeExcitation(): lambda c: 5 * c * c // 4 + 1,
    SqueezeExcitation(reduction=16): lambda c: c * c // 8 + 1,
}
"""A block -> its parameters at C channels."""

MULTIPLICATIONS = {
    MultiHead(): lambda c, n: n * 4 * c * c + 2 * n * n * c,
    MultiHead(heads=2, head_width=3, pool=2): lambda c, n: n * 4 * c * 6 + 2 * n * n // 4 * 6,
    NonLocal(): lambda c, n: n * 2 * c * c + 2 * n * n // 4 * c // 2,
    NonLocal(pool=1): lambda c, n: n * 2 * c * c + 2 * n * n * c // 2,
    LinearAttention(): lambda c, n: n * 5 * c * c // 4 + 2 * n * (c // 8) * (c // 2),
    Windowed(window=4): lambda c, n: n * 4 * c * c + 2 * n * 16 * c,
    GlobalContext(): lambda c, n: 2 * n * c + 2 * c * (5 * c // 8 - 1),
    SqueezeExcitation(): lambda c, n: 5 * c * c // 4,
}
"""A block -> multiply-adds at C channels and N positions: projections, then scores and sums.

Of global_context: the scores, the context and its two layers; of squeeze_excitation: its two layers.
"""


def on_meta(component: Any, channels: int, size: int) -> nn.Module:
    with torch.device("meta"):
        built: nn.Module = component.build(Site(channels=channels, size=size))
    return built


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("channels", [64, 128, 256, 512])
@pytest.mark.parametrize("component", PARAMETERS, ids=str)
def test_parameters_are_those_of_the_formula(component: Any, channels: int) -> None:
    assert count(on_meta(component, channels, 16)) == PARAMETERS[component](channels)


@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("component", MULTIPLICATIONS, ids=str)
def test_check_counts_all_of_its_multiplications(component: Any, size: int) -> None:
    network = nn.Sequential(OrderedDict(block=on_meta(component, 32, size)))
    measured = cost(network, torch.empty(4, 32, size, size, device="meta"))
    assert measured.flops == measured.blocks[0].flops == 2 * MULTIPLICATIONS[component](32, size * size)


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for output in made if isinstance(made, tuple | list) else [made]:
            self.numbers = max(self.numbers, output.numel() if isinstance(output, Tensor) else 0)
        return made


def largest(component: Any, size: int) -> int:
    """Numbers in the largest tensor of a forward and a backward."""
    built, x = on_meta(component, 16, size), torch.empty(1, 16, size, size, device="meta", requires_grad=True)
    with Largest() as seen:
        built(x).sum().backward()
    return seen.numbers


@pytest.mark.parametrize(
    "component",
    [
        LinearAttention(reduction=4),
        LinearAttention(reduction=4, feature_map="elu"),
        Windowed(),
        GlobalContext(),
        SqueezeExcitation(),
    ],
)
def test_no_tensor_grows_faster_than_the_number_of_positions(component: Any) -> None:
    small, large = largest(component, 32), largest(component, 128)
    assert large == 16 * small
    assert small < 1024**2 / 8


@pytest.mark.parametrize("component", [MultiHead(path="plain"), NonLocal(path="plain")])
def test_where_the_map_is_built_it_is_seen(component: Any) -> None:
    """That the test before this one sees what it looks for."""
    assert largest(component, 32) >= 1024 * 256


@pytest.mark.parametrize("channels", [64, 128, 256, 512])
@pytest.mark.parametrize(
    "name", ["multi_head", "non_local", "linear", "windowed", "self_attention", "global_context", "squeeze_excitation"]
)
def test_each_has_a_control_of_its_size(name: str, channels: int) -> None:
    registry = discover()
    block, control = registry.create("attention", name), registry.create("attention", "residual", like=name)
    size, control_size = count(on_meta(block, channels, 16)), count(on_meta(control, channels, 16))
    assert abs(control_size - size) <= 0.025 * size


@pytest.mark.parametrize("gated", [True, False])
def test_the_control_counts_positions_and_the_gate(gated: bool) -> None:
    block, control = Windowed(window=8, heads=8), Residual(like=Windowed(window=8, heads=8), gated=gated)
    size, control_size = count(on_meta(block, 32, 16)), count(on_meta(control, 32, 16))
    assert size == 4 * 32 * 32 + 8 * 15 * 15 + 1
    assert abs(control_size - size) <= 0.025 * size


def test_no_other_control_would_come_closer_and_one_too_far_off_is_refused() -> None:
    refused = 0
    for heads in range(1, 13):
        control, wanted = Residual(like=MultiHead(heads=heads, head_width=11)), 4 * 128 * 11 * heads
        nearest = min(abs(2 * 128 * h + 9 * h * h - wanted) for h in range(1, 256))
        if nearest <= 0.025 * wanted:
            assert abs(count(on_meta(control, 128, 16)) - 1 - wanted) == nearest
        else:
            refused += 1
            with pytest.raises(PlacementError, match="no width"):
                on_meta(control, 128, 16)
    assert 0 < refused < 6


def test_a_control_that_cannot_be_of_that_size_is_refused() -> None:
    with pytest.raises(PlacementError, match=r"within 2.5% of the 64 weights of like; 2 gives 52"):
        Residual(like=MultiHead()).build(Site(channels=4))
    with pytest.raises(PlacementError, match=r"block\.like: needs channels that heads divides"):
        Residual(like=MultiHead()).build(Site(channels=6))
