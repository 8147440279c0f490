"""Networks whose batch norms are folded give the features of the published networks, to rounding errors of float32."""

from __future__ import annotations

import copy

import pytest
import torch
from ganblocks_metrics.efficientnet import EfficientNetLite0
from ganblocks_metrics.extractors import EfficientNetLite0Extractor, _weights, resized
from ganblocks_metrics.folding import folded
from ganblocks_metrics.network_2015 import Network2015
from torch import Tensor, nn
from torchvision.models import inception_v3

ROUNDING = 2e-5
"""Of the largest feature. The unfolded network in float32 differs by 4e-6 of it from the same network in float64."""


def published() -> EfficientNetLite0:
    network = EfficientNetLite0()
    network.load_in_order(_weights())
    return network.eval()


def pictures(n: int) -> Tensor:
    return torch.randint(256, (n, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@torch.no_grad()
def test_folded_features_are_those_of_the_unfolded_network_in_float64() -> None:
    images = pictures(8)
    pixels = (resized(images, 64) - 127) / 128
    features, logits = published().double()(pixels.double())
    seen = EfficientNetLite0Extractor(size=64).open()(images)
    for found, exact in ((seen.vector, features), (seen.logits, logits)):
        assert (found - exact).abs().max() <= ROUNDING * exact.abs().max()


def test_every_batch_norm_is_folded_and_the_original_is_unchanged() -> None:
    original = published()
    before = copy.deepcopy(original.state_dict())
    inception = inception_v3(weights=None, init_weights=False)
    for network in (original, Network2015(), inception):
        assert norms(network) > 40
        assert norms(folded(network)) == 0
    assert all(torch.equal(value, before[name]) for name, value in original.state_dict().items())


@pytest.mark.parametrize("named", ["2015", "torchvision"])
@torch.no_grad()
def test_folded_inception_networks_give_equal_numbers(named: str) -> None:
    torch.manual_seed(0)
    network = Network2015() if named == "2015" else inception_v3(weights=None, init_weights=False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    network.eval()
    images = pictures(1) if named == "2015" else (resized(pictures(1), 96) - 127) / 128
    exact, found = network(images), folded(network)(images)
    for one, two in zip(exact, found, strict=True) if named == "2015" else [(exact, found)]:
        assert (one - two).abs().max() <= ROUNDING * one.abs().max()
