"""Initial weights: reproducible, with the moments and the matrices that their sources promise."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from ganblocks_initializations.normal import Normal
from ganblocks_initializations.orthogonal import Orthogonal
from ganblocks_initializations.xavier import Xavier
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Site
from ganblocks.testing import examples

few = examples(20)
seeds = st.integers(0, 2**32 - 1)

RULES = [Xavier(), Xavier(distribution="normal", gain=2.0), Orthogonal(), Orthogonal(gain=0.5), Normal(), Normal(std=0.1)]
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(4, 6, 3),
    "transpose": lambda: nn.ConvTranspose2d(4, 6, 3),
    "linear": lambda: nn.Linear(5, 7),
    "embedding": lambda: nn.Embedding(3, 8),
}


def filled(rule: Any, layer: nn.Module, seed: int) -> nn.Module:
    rule.fill(layer, torch.Generator().manual_seed(seed))
    return layer


def matrix(layer: nn.Module) -> Tensor:
    """(outputs, all the rest), in float64."""
    weight = layer.weight.detach().double()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)


@few
@given(seeds, st.sampled_from(RULES), st.sampled_from(sorted(LAYERS)))
def test_equal_generators_give_equal_weights_and_nothing_else_is_drawn_from(seed: int, rule: Any, name: str) -> None:
    layer, other = LAYERS[name](), LAYERS[name]()
    state = torch.get_rng_state()
    filled(rule, layer, seed)
    torch.rand(1)
    filled(rule, other, seed)
    assert torch.equal(layer.weight, other.weight)
    assert not torch.equal(layer.weight, filled(rule, other, seed + 1).weight)
    assert layer.weight.requires_grad
    torch.set_rng_state(state)
    filled(rule, layer, seed)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", LAYERS)
def test_biases_are_zero_and_their_absence_is_fine(rule: Any, name: str) -> None:
    layer = filled(rule, LAYERS[name](), 0)
    assert name == "embedding" or not layer.bias.any()
    filled(rule, nn.Linear(3, 4, bias=False), 0)


@few
@given(
    seeds,
    st.floats(0.1, 3),
    st.sampled_from(["uniform", "normal"]),
    st.sampled_from(["conv", "transpose", "linear", "embedding"]),
)
def test_xavier_has_its_variance_and_its_bound(seed: int, gain: float, distribution: Any, name: str) -> None:
    make = {
        "conv": lambda: nn.Conv2d(16, 24, 3),
        "transpose": lambda: nn.ConvTranspose2d(16, 24, 3),
        "linear": lambda: nn.Linear(16 * 9, 24 * 9),
        "embedding": lambda: nn.Embedding(16 * 9, 24 * 9),
    }[name]
    weight = filled(Xavier(gain=gain, distribution=distribution), make(), seed).weight.detach()
    std = gain * math.sqrt(2 / (16 * 9 + 24 * 9))
    assert float(weight.std()) == pytest.approx(std, rel=0.1)
    largest, bound = float(weight.abs().max()), math.sqrt(3) * std
    if distribution == "uniform":
        assert 0.98 * bound <= largest <= bound * (1 + 1e-6)
    else:
        assert largest > 1.3 * bound


@few
@given(seeds, st.floats(0.1, 3), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_orthogonal_has_equal_singular_values(seed: int, gain: float, inputs: int, outputs: int, turned: bool) -> None:
    kind = nn.ConvTranspose2d if turned else nn.Conv2d
    layer = filled(Orthogonal(gain=gain), kind(inputs, outputs, 2).double(), seed)
    rows = matrix(layer)
    rows = rows if len(rows) <= rows.shape[1] else rows.T
    torch.testing.assert_close(rows @ rows.T, gain**2 * torch.eye(len(rows), dtype=torch.float64), rtol=1e-12, atol=1e-12)


@few
@given(seeds, st.floats(1e-3, 1))
def test_normal_has_its_standard_deviation(seed: int, std: float) -> None:
    weight = filled(Normal(std=std), nn.Linear(100, 100), seed).weight.detach()
    assert float(weight.std()) == pytest.approx(std, rel=0.05)
    assert abs(float(weight.mean())) < 0.05 * std
    assert float(weight.abs().max()) > 3 * std


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["conv", "transpose"])
def test_memory_format_and_precision_do_not_change_the_draw(rule: Any, name: str) -> None:
    plain = LAYERS[name]()
    last, half = copy.deepcopy(plain).to(memory_format=torch.channels_last), copy.deepcopy(plain).bfloat16()
    expected = filled(rule, plain, 4).weight
    assert torch.equal(filled(rule, last, 4).weight, expected)
    assert torch.equal(filled(rule, half, 4).weight, expected.bfloat16())


def test_a_site_seeds_by_the_name() -> None:
    site = Site(channels=3, initialization=Orthogonal(), seed=1)
    first, again, other = (site.layer(nn.Conv2d(3, 4, 3), name).weight for name in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("component", "options"),
    [(Xavier, {"gain": 0.0}), (Xavier, {"distribution": "cauchy"}), (Orthogonal, {"gain": "one"}), (Normal, {"std": -1.0})],
)
def test_options_out_of_range_are_refused(component: Any, options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        component(**options)
