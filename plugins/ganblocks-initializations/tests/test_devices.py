"""Weights are drawn on the processor, whatever torch's default device is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ganblocks_initializations.normal import Normal
from ganblocks_initializations.orthogonal import Orthogonal
from ganblocks_initializations.xavier import Xavier
from torch import nn


@pytest.mark.parametrize("rule", [Xavier(), Xavier(distribution="normal"), Orthogonal(), Normal()])
def test_the_default_device_changes_nothing(rule: Any) -> None:
    one, two = nn.Linear(5, 4), nn.Linear(5, 4)
    rule.fill(one, torch.Generator().manual_seed(0))
    with torch.device("meta"):
        rule.fill(two, torch.Generator("cpu").manual_seed(0))
    assert torch.equal(one.weight, two.weight)
