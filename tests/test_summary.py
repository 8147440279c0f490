"""What `check` says a network costs is what it costs at the batch that is meant."""

from __future__ import annotations

import pytest
import torch
from ganblocks_resnet.blocks import UpBlock
from torch.utils.flop_counter import FlopCounterMode

from ganblocks import ImageSpec, Player, Site, discover
from ganblocks.summary import cost


@pytest.mark.parametrize("size", [(64, 64), (64, 128), (32, 32)])
@pytest.mark.parametrize("batch", [16, 32, 48, 64, 128])
def test_operations_of_an_image_are_those_of_its_batch(size: tuple[int, int], batch: int) -> None:
    """Batches on both sides of the size from which an upsampling is folded into the convolution after it."""
    image = ImageSpec(3, size)
    site = Site(channels=3, size=image.size, player=Player.GENERATOR, path="generator")
    component = discover().create("generator", "resnet", width=8, latent=16, norm="batch", weight_norm="none")
    with torch.device("meta"):
        network = component.build(image, site)
        latent = torch.empty(batch + 1, 16)
        with FlopCounterMode(display=False) as counter:
            network(latent[:batch], None)
        once = counter.get_total_flops() - cost(network, latent).flops * batch
        convs = [block.conv1 for block in network.children() if isinstance(block, UpBlock)]
        kernels = [2 * 16 * 9 * conv.in_channels * conv.out_channels for conv in convs]
        assert once in {sum(kernels[first:]) for first in range(len(kernels) + 1)}  # folded once per batch
