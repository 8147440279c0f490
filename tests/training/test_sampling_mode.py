"""Samples are drawn in evaluation mode, without a graph, and change nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganblocks import ImageSpec
from ganblocks.training.sampler import Sampler


class Normed(nn.Module):
    """A generator that would mix samples in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.with_graph = False

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        image = self.norm(z)[:, None, None]
        self.with_graph = image.requires_grad
        return image


def test_a_sample_does_not_see_the_others_and_leaves_no_trace() -> None:
    network = Normed().train()
    sampler = Sampler(network, 4, ImageSpec(1, 4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = sampler.sample(6, batch=6)
    assert torch.equal(images, sampler.sample(6, batch=1))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not network.with_graph
