"""Consensus optimization: both players also minimise the norm of the joint gradient, which is 0 at a solution."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from attrs import define, frozen
from torch import Tensor, nn

from ganblocks import Batch, Checked, DifferentiatesTwice, Facts, Game, Metrics, NextBatch, Optimizer, Player, option, socket
from ganblocks_update_rules.player_optimizer import TwoOptimizers
from ganblocks_update_rules.simultaneous import TURNS, SimultaneousUpdater
from ganblocks_update_rules.weights import parameters_of


@frozen(kw_only=True)
class Consensus(TwoOptimizers, DifferentiatesTwice, Checked):
    """Consensus optimization: simultaneous descent that also moves both players to where both gradients vanish.

    g = ξ + γ ∇ ½‖ξ‖², where ξ = (∇_φ L_D, ∇_θ L_G), and the second gradient is with respect to all of (φ, θ).

    Networks are built with ``twice_differentiable``. The second term is one graph through both networks for the whole batch,
    independent of ``training.microbatch``.

    Use it for small networks whose players circle each other, with γη well below 1. It is also attracted by other points where
    both gradients vanish, and it is the most expensive rule in time and memory: try "lookahead" and "extragradient" first.

    Source: Mescheder et al. (2017), "The Numerics of GANs", arXiv:1705.10461. Its code has γ = 10, and RMSprop at
    rate 1e-4 for CIFAR-10.

    Options:
        generator, discriminator: each player's optimizer.
        weight: γ.
    """

    generator: Optimizer = socket("optimizer", default="rmsprop")
    discriminator: Optimizer = socket("optimizer", default="rmsprop")
    weight: float = option(10.0, low=0)

    def start(self, game: Game) -> ConsensusUpdater:
        """Return the updater of ``game``."""
        return ConsensusUpdater(game, self.start_players(game), self.weight)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about a weight of 0."""
        if self.weight == 0:
            yield 'with weight 0 this is simultaneous descent; give update.weight a number above 0 (10), or use "simultaneous"'


@define(eq=False)
class ConsensusUpdater(SimultaneousUpdater):
    """Adds the consensus gradient to the gradients of a regular turn of each player, then steps both."""

    weight: float

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        """Run one iteration on one batch; ``consensus/energy`` is ½‖ξ‖²."""
        batch = next_batch(Player.DISCRIMINATOR)
        energy, gradients = self.energy(batch, images_seen)  # first, so that it includes the penalties that are due now
        metrics = self.backward(batch, images_seen)
        for parameter, gradient in gradients.items():
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return metrics | self.step_both(images_seen) | {"consensus/energy": energy}

    def energy(self, batch: Batch, images_seen: int) -> tuple[Tensor, dict[nn.Parameter, Tensor]]:
        """Return ½‖ξ‖², 0-dim, and γ times its gradient for every trainable parameter of both players."""
        trainable = [parameter for parameter in parameters_of(self.game).values() if parameter.requires_grad]
        joint = [gradient.square().sum() for player in TURNS for gradient in self._gradients(player, batch, images_seen)]
        energy = 0.5 * torch.stack(joint).sum()
        gradients = torch.autograd.grad(energy, trainable, materialize_grads=True)
        return energy.detach(), {p: self.weight * gradient for p, gradient in zip(trainable, gradients, strict=True)}

    def _gradients(self, player: Player, batch: Batch, images_seen: int) -> tuple[Tensor, ...]:
        """Return the player's part of ξ, as a graph through both networks."""
        own = [parameter for parameter in self.game.networks[player].parameters() if parameter.requires_grad]
        total = self.game.objective(player, batch, images_seen, through=tuple(Player)).total
        return torch.autograd.grad(total, own, create_graph=True, materialize_grads=True)
