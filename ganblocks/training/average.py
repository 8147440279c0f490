"""The exponential moving average of the generator, correct under spectral norm and batch norm.

Parameters are averaged. Buffers are not: an average of unit vectors is no unit vector (spectral norm's u and v shrink, σ is
underestimated, and images explode), and the live network's running statistics are those of other weights. Before it is used,
estimates settle on the averaged weights, and batch norms get statistics of these weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganblocks.game import capable
from ganblocks.kinds.module_capabilities import HasEstimates
from ganblocks.training.batch_statistics import Inputs, estimate

SETTLING = 20
"""Power iterations after averaging: leaves an error of σ below 0.01 % where u and v followed the live weights."""


class Average:
    """A copy of a network whose parameters follow the original slowly.

    Args:
        network: the live network.
        inputs: what batch norms are given to estimate their statistics from; see :func:`batch_statistics.estimate`.
        decay: share that stays at each update; 0 copies, 1 never moves.
        start: images seen before which the average is the live network itself.
    """

    def __init__(self, network: nn.Module, inputs: Inputs, decay: float, start: int = 0) -> None:
        self.live, self.inputs, self.decay, self.start = network, inputs, decay, start
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._settled = False

    @torch.no_grad()
    def update(self, images_seen: int) -> None:
        """Move towards the live network, once per generator step."""
        self._settled = False
        decay = self.decay if images_seen > self.start else 0.0
        averaged: list[Tensor] = list(self.network.parameters())
        live: list[Tensor] = list(self.live.parameters())
        torch._foreach_lerp_(averaged, live, 1 - decay)

    @torch.no_grad()
    def settled(self) -> nn.Module:
        """Return the averaged network in evaluation mode, with every estimate and every running statistic of its own weights.

        They follow from the weights and from the live network's buffers alone, however often and whenever this is called.
        """
        if not self._settled:
            for averaged, live in zip(self.network.buffers(), self.live.buffers(), strict=True):
                averaged.copy_(live)
            settle(self.network)
            estimate(self.network, self.inputs)
            self._settled = True
        return self.network

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights of ``settled().state_dict()``."""
        self._settled = False
        self.network.load_state_dict(state)


def settle(network: nn.Module) -> None:
    """Let every estimate of a network (spectral norm's u and v) converge on its present weights."""
    for module in capable(network, HasEstimates):
        module.settle(SETTLING)
