"""Every layer is seeded by the name under which it is kept: a checkpoint's names and initial values belong together."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganblocks_attention.residual import Residual
from ganblocks_attention.self_attention import SelfAttention

from ganblocks import Site


@pytest.mark.parametrize(
    ("component", "part", "names"),
    [
        (SelfAttention(), "", ("query", "key", "value", "out")),
        (Residual(), "branch", ("reduce", "mix", "expand")),
        (Residual(gated=False), "branch", ("reduce", "mix", "expand")),
    ],
)
def test_layers_are_seeded_by_their_names(component: Any, part: str, names: tuple[str, ...]) -> None:
    site = Site(channels=16, path="here")
    block = component.build(site).get_submodule(part)
    assert [name for name, _ in block.named_children()] == list(names)
    for name in names:
        layer = getattr(block, name)
        assert torch.equal(layer.weight, site.layer(copy.deepcopy(layer), name).weight)
