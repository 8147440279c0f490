"""Softplus and its first two derivatives against 400 digits of decimal arithmetic, at the ends and around torch's own limit."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import pytest
import torch
from ganblocks_losses.minimax import Minimax
from ganblocks_losses.non_saturating import NonSaturating, softplus
from ganblocks_losses.relativistic_average import RelativisticAverage
from ganblocks_losses.relativistic_paired import RelativisticPaired
from hypothesis import example, given
from hypothesis import strategies as st

from ganblocks.testing import examples

OFTEN = [-1e4, -700.0, -40.0, -20.5, -1.0, 0.0, 1.0, 19.9, 20.5, 30.0, 36.5, 39.9, 40.1, 87.0, 89.0, 700.0, 1e4]
arguments = st.floats(-60, 60, width=16) | st.sampled_from(OFTEN)


def reference(t: float) -> tuple[float, float, float]:
    """ln(1 + e^t), the sigmoid of t and the slope of that."""
    with localcontext() as context:
        context.prec = 400
        small = (-abs(Decimal(t))).exp()
        value = max(Decimal(t), Decimal(0)) + (1 + small).ln()
        slope = 1 / (1 + small) if t >= 0 else small / (1 + small)
        return float(value), float(slope), float(small / (1 + small) ** 2)


def value_and_slopes(t: float, dtype: torch.dtype) -> list[float]:
    x = torch.tensor(t, dtype=dtype, requires_grad=True)
    value = softplus(x)
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, x)
    return [float(number.detach()) for number in (value, slope, curvature)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@examples(60)
@example(20.5)
@given(arguments)
def test_it_is_exact_to_the_last_digits(dtype: torch.dtype, t: float) -> None:
    """Relative to the precision of the type: values and slopes to two units in the last place, curvatures to 1's."""
    facts = torch.finfo(dtype)
    rounded = float(torch.tensor(t, dtype=dtype))
    value, slope, curvature = value_and_slopes(rounded, dtype)
    for ours, exact in zip((value, slope), reference(rounded), strict=False):
        assert abs(ours - exact) <= 2 * facts.eps * exact + facts.tiny
    assert abs(curvature - reference(rounded)[2]) <= 2 * facts.eps


@pytest.mark.parametrize("t", [20.5, 25.0, 31.0])
@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        (NonSaturating(), lambda t: reference(t)[0] + reference(-t)[0], lambda t: reference(t)[0]),
        (Minimax(), lambda t: reference(t)[0] + reference(-t)[0], lambda t: -reference(-t)[0]),
        (RelativisticPaired(), lambda t: reference(0)[0], lambda t: reference(0)[0]),
        (RelativisticAverage(), lambda t: 2 * reference(0)[0], lambda t: 2 * reference(0)[0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_loss_far_from_zero_is_exact(loss: Any, discriminator: Any, generator: Any, t: float) -> None:
    """Both players' logits at -t."""
    logits = torch.full((3,), -t, dtype=torch.float64)
    assert float(loss.for_discriminator(logits, logits)) == pytest.approx(discriminator(t), rel=1e-15)
    assert float(loss.for_generator(logits, logits)) == pytest.approx(generator(t), rel=1e-15)


@pytest.mark.parametrize("t", [20.5, 25.0, 31.0])
@pytest.mark.parametrize("loss", [RelativisticPaired(), RelativisticAverage()], ids=lambda loss: type(loss).__name__)
def test_a_difference_far_from_zero_is_exact(loss: Any, t: float) -> None:
    zero, far = torch.zeros(3, dtype=torch.float64), torch.full((3,), t, dtype=torch.float64)
    times = 2 if isinstance(loss, RelativisticAverage) else 1
    assert float(loss.for_discriminator(zero, far)) == pytest.approx(times * reference(t)[0], rel=1e-15)
    assert float(loss.for_generator(far, zero)) == pytest.approx(times * reference(t)[0], rel=1e-15)
