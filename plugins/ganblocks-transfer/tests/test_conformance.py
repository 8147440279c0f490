"""Every promise that ganblocks makes about a component, checked for this plugin's."""

from __future__ import annotations

import ganblocks_transfer
from ganblocks_transfer.frozen import Frozen

from ganblocks import discover
from ganblocks.testing import Check, conformance

REGISTRY = discover()
SMALL = REGISTRY.create("discriminator", "resnet", width=8)
SPECTRAL = REGISTRY.create("discriminator", "resnet", width=8, weight_norm="spectral", norm="batch")
EXAMPLES = {
    "discriminator/frozen": [
        Frozen(network=SMALL),
        Frozen(network=SPECTRAL, blocks=2),
        Frozen(network=SMALL, blocks=0, names=("block1.conv1", "head")),
        Frozen(network=Frozen(network=SMALL), blocks=0, names=("head",)),
    ]
}


@conformance(ganblocks_transfer, examples=EXAMPLES)
def test_conformance(check: Check) -> None:
    check()
