"""The option eps, large enough to be seen: it is added to the variance, under the root."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attrs import evolve
from ganblocks_norms.batch import Batch
from ganblocks_norms.conditional_batch import ConditionalBatch
from ganblocks_norms.group import Group
from ganblocks_norms.instance import Instance
from ganblocks_norms.layer import Layer
from torch import Tensor

from ganblocks import Classes, Condition, Site, Vector

x = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("eps", [0.5, 3.0])
@pytest.mark.parametrize(
    ("component", "groups", "condition", "value"),
    [
        (Group(groups=2), (2, 2), None, None),
        (Layer(), (1, 4), None, None),
        (Instance(), (4, 1), None, None),
        (Batch(), None, None, None),
        (ConditionalBatch(), None, Classes(2), torch.tensor([0, 1, 1])),
        (ConditionalBatch(gain="one_plus"), None, Vector(2), torch.zeros(3, 2, dtype=torch.float64)),
    ],
)
def test_eps_is_added_to_the_variance(
    component: Any, groups: tuple[int, int] | None, condition: Condition, value: Tensor | None, eps: float
) -> None:
    built = evolve(component, eps=eps).build(Site(channels=4, size=5, condition=condition)).double()
    if groups is None:
        expected = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + eps).sqrt()
    else:
        parts = x.unflatten(1, groups)
        variance = parts.var((2, 3, 4), correction=0, keepdim=True)
        expected = ((parts - parts.mean((2, 3, 4), keepdim=True)) / (variance + eps).sqrt()).flatten(1, 2)
    torch.testing.assert_close(built(x, value), expected, rtol=1e-10, atol=1e-12)
    if groups is None:
        torch.testing.assert_close(
            built.eval()(x, value),
            (x - built.running_mean.view(-1, 1, 1)) / (built.running_var.view(-1, 1, 1) + eps).sqrt(),
            rtol=1e-10,
            atol=1e-12,
        )
