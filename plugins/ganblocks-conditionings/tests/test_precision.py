"""Heads multiply and add in float32 at least, whatever the precision of features and weights."""

from __future__ import annotations

import torch
from ganblocks_conditionings.auxiliary_classifier import AuxiliaryClassifier
from ganblocks_conditionings.none import NoConditioning
from ganblocks_conditionings.projection import Projection

from ganblocks import Classes, Site


def test_logits_of_half_precision_features_and_weights_are_summed_in_float32() -> None:
    features = torch.randn(4, 64, generator=torch.Generator().manual_seed(0)).bfloat16()
    plain = NoConditioning(bias=False).build(Site(channels=64)).bfloat16()
    logits = plain(features).logits
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, features.float() @ plain.linear.weight[0].float(), rtol=1e-5, atol=1e-5)
    projecting = Projection(bias=False).build(Site(channels=64, condition=Classes(3))).bfloat16()
    assert projecting(features, torch.tensor([0, 1, 2, 0])).logits.dtype == torch.float32


def test_class_logits_are_multiplied_in_float32() -> None:
    """Under autocast too, which would take a layer's product in bfloat16."""
    features = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    built = AuxiliaryClassifier().build(Site(channels=64, condition=Classes(3)))
    expected = built(features).classes
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(built(features).classes, expected)
    half = built.bfloat16()(features.bfloat16()).classes
    assert half.dtype == torch.float32
    assert not torch.equal(half, half.bfloat16().float())
