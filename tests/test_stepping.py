"""The guarded step: settings arrive, norms are reported, and nothing that is not finite reaches a parameter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ganblocks import guarded_step


def parameters() -> list[nn.Parameter]:
    one, two, three = (nn.Parameter(torch.full((2,), value)) for value in (1.0, 2.0, 3.0))
    one.grad, two.grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    return [one, two, three]  # the last has no gradient


def test_it_steps_with_the_settings_of_the_moment_and_reports_the_norm() -> None:
    one, two, three = parameters()
    optimizer = torch.optim.SGD([{"params": [one]}, {"params": [two, three]}], lr=9.0)
    report = guarded_step(optimizer, {"lr": 0.5})
    assert report["gradient_norm"].item() == pytest.approx(5.0)
    assert report["gradient_norm"].dtype == torch.float32
    assert [p.tolist() for p in (one, two, three)] == [[-0.5, 1.0], [2.0, 0.0], [3.0, 3.0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_stops_every_parameter(bad: float) -> None:
    one, two, three = parameters()
    assert one.grad is not None
    one.grad[1] = bad
    report = guarded_step(torch.optim.SGD([one, two, three], lr=1.0), {"lr": 0.5})
    assert not report["gradient_norm"].isfinite()
    assert [p.tolist() for p in (one, two, three)] == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
