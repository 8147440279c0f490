"""Every layer of a head is seeded by the name under which it is kept."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from ganblocks_conditionings.auxiliary_classifier import AuxiliaryClassifier
from ganblocks_conditionings.contrastive import Contrastive
from ganblocks_conditionings.data_to_data import DataToData
from ganblocks_conditionings.none import NoConditioning
from ganblocks_conditionings.projection import Projection
from torch import nn

from ganblocks import Classes, PlacementError, Site


@pytest.mark.parametrize(
    ("component", "names"),
    [
        (Projection(bias=False), ("linear", "embedding")),
        (AuxiliaryClassifier(bias=False, class_bias=False), ("linear", "classes")),
        (Contrastive(embedding=5), ("linear", "projection", "proxies")),
        (DataToData(embedding=5), ("linear", "projection", "proxies")),
        (NoConditioning(bias=False), ("linear",)),
    ],
)
def test_layers_are_seeded_by_their_names(component: Any, names: tuple[str, ...]) -> None:
    site = Site(channels=16, path="here", condition=Classes(3))
    head = component.build(site)
    assert [name for name, _ in head.named_children()] == list(names)
    for name in names:
        layer = getattr(head, name)
        assert torch.equal(layer.weight, site.layer(copy.deepcopy(layer), name).weight)


def test_a_weight_norm_finds_every_layer() -> None:
    class Names:
        def __init__(self) -> None:
            self.seen: list[type] = []

        def wrap(self, layer: nn.Module) -> nn.Module:
            self.seen.append(type(layer))
            return layer

    norm = Names()
    Projection().build(Site(channels=4, condition=Classes(3), weight_norm=norm))
    assert norm.seen == [nn.Linear, nn.Embedding]


def test_without_classes_there_is_nothing_to_project_on() -> None:
    with pytest.raises(PlacementError, match='use conditioning = "none"'):
        Projection().build(Site(channels=4))
