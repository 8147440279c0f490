"""The exponential moving average of the generator, correct under spectral norm and batch norm.

Parameters are averaged, buffers are not: an average of unit vectors is not a unit vector (spectral norm's u and v shrink, σ is
underestimated and images explode), and the live network's running statistics belong to other weights. Before the average is
used, its estimates are settled and its batch-norm statistics estimated on the averaged weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ganblocks.training.batch_statistics import Inputs, estimate_statistics
from ganblocks.weights import settle_estimates

SETTLING = 20
"""Power iterations after averaging; they leave an error of σ below 0.01 %."""


class Average:
    """A copy of a network whose parameters are an exponential moving average of the original's.

    In a training loop of your own: call :meth:`update` after each step of the generator, and sample from :meth:`settled`.

    Args:
        network: the live network.
        inputs: n -> latents [n, Z] and labels [n] | None, from which batch-norm statistics are estimated.
        decay: share of the average that each update keeps; 0 copies, 1 never changes.
        start: images seen before which the average equals the live network.
    """

    def __init__(self, network: nn.Module, inputs: Inputs, decay: float, start: int = 0) -> None:
        self.live, self.inputs, self.decay, self.start = network, inputs, decay, start
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._settled = False

    @torch.no_grad()
    def update(self, images_seen: int) -> None:
        """Average the live parameters in; call it once per generator step."""
        self._settled = False
        decay = self.decay if images_seen > self.start else 0.0
        averaged: list[Tensor] = list(self.network.parameters())
        live: list[Tensor] = list(self.live.parameters())
        torch._foreach_lerp_(averaged, live, 1 - decay)

    @torch.no_grad()
    def settled(self) -> nn.Module:
        """Return the averaged network in evaluation mode, with estimates and running statistics of its own weights.

        They depend only on the weights and on the live network's buffers, not on when or how often this is called.
        """
        if not self._settled:
            for averaged, live in zip(self.network.buffers(), self.live.buffers(), strict=True):
                averaged.copy_(live)
            settle(self.network)
            estimate_statistics(self.network, self.inputs)
            self._settled = True
        return self.network

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Load the state of the averaged network, tensors of any shape by name."""
        self._settled = False
        self.network.load_state_dict(state)


def settle(network: nn.Module) -> None:
    """Let every estimate of a network (spectral norm's u and v) converge for its current weights."""
    settle_estimates(network, SETTLING)
