"""The option eps bounds both norms from below, and nothing else."""

from __future__ import annotations

import pytest
import torch
from ganblocks_spectral.spectral import Spectral
from torch import nn


@pytest.mark.parametrize("eps", [1e-12, 1e-8, 1e-6])
def test_u_and_v_are_divided_by_their_norm_or_by_eps(eps: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 4)
    with torch.no_grad():
        layer.weight.mul_(1e-7)
    norm = Spectral(eps=eps).wrap(layer)
    matrix = layer.weight.detach()
    start = nn.functional.normalize(torch.randn(4), dim=0)
    norm.u.copy_(start)
    norm.advance()
    v = matrix.T @ start
    v = v / max(float(v.norm()), eps)
    u = matrix @ v
    torch.testing.assert_close(norm.v, v, rtol=1e-5, atol=0)
    torch.testing.assert_close(norm.u, u / max(float(u.norm()), eps), rtol=1e-5, atol=0)
