"""The maps of a vector's gain and bias are built as all layers are, seeded by their names."""

from __future__ import annotations

import copy

import torch
from ganblocks_norms.conditional_batch import ConditionalBatch

from ganblocks import Site, Vector


def test_maps_of_a_vector_are_seeded_by_their_names_and_carry_no_bias() -> None:
    site = Site(channels=16, path="here", condition=Vector(5))
    norm = ConditionalBatch(gain="one_plus").build(site)
    for name in ("gain", "bias"):
        layer = getattr(norm, name)
        assert layer.bias is None
        assert layer.weight.shape == (16, 5)
        assert torch.equal(layer.weight, site.layer(copy.deepcopy(layer), name).weight)
    assert sorted(name for name, _ in norm.named_buffers()) == ["running_mean", "running_var"]
