"""Consensus optimization: both players also descend on the length of the joint gradient, which is 0 at a solution."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from attrs import define, frozen
from torch import Tensor, nn

from ganblocks import Batch, Checked, DifferentiatesTwice, Facts, Game, Metrics, NextBatch, Optimizer, Player, option, socket
from ganblocks_update_rules.player_optimizer import start_both
from ganblocks_update_rules.simultaneous import TURNS, SimultaneousUpdater
from ganblocks_update_rules.weights import parameters_of


@frozen(kw_only=True)
class Consensus(DifferentiatesTwice, Checked):
    """Consensus optimization: simultaneous descent, and a pull of both players to where both gradients vanish.

    g = ξ + γ ∇ ½‖ξ‖², where ξ = (∇_φ L_D, ∇_θ L_G), and the second gradient is with respect to all of (φ, θ).

    Blocks are told ``twice_differentiable``. The pull is one graph through both networks for the whole batch, whatever
    ``training.microbatch`` says.

    Use it for small networks whose players circle each other, with γη well below 1. It also pulls to points that are no
    solutions, because both gradients vanish there too, and it is the dearest rule in time and memory: try "lookahead" and
    "extragradient" first.

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
        return ConsensusUpdater(game, start_both(game, self.generator, self.discriminator), self.weight)

    def check(self, facts: Facts) -> Iterator[str]:
        if self.weight == 0:
            yield 'with weight 0 there is no pull; give update.weight a number above 0 (10), or use "simultaneous"'


@define(eq=False)
class ConsensusUpdater(SimultaneousUpdater):
    """Adds the pull to the gradients of a real turn of each player, then both move."""

    weight: float

    def step(self, next_batch: NextBatch, images_seen: int) -> Metrics:
        batch = next_batch(Player.DISCRIMINATOR)
        energy, pull = self.energy(batch, images_seen)  # first, so that it has the penalties that are due in this turn
        metrics = self.extract_features(batch, images_seen)
        for parameter, gradient in pull.items():
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return metrics | self.move(images_seen) | {"consensus/energy": energy}

    def energy(self, batch: Batch, images_seen: int) -> tuple[Tensor, dict[nn.Parameter, Tensor]]:
        """½‖ξ‖², and γ times its gradient for every parameter of both players that trains."""
        everything = [parameter for parameter in parameters_of(self.game).values() if parameter.requires_grad]
        joint = [gradient.square().sum() for player in TURNS for gradient in self._gradients(player, batch, images_seen)]
        energy = 0.5 * torch.stack(joint).sum()
        pulls = torch.autograd.grad(energy, everything, materialize_grads=True)
        return energy.detach(), {p: self.weight * pull for p, pull in zip(everything, pulls, strict=True)}

    def _gradients(self, player: Player, batch: Batch, images_seen: int) -> tuple[Tensor, ...]:
        """That player's part of ξ, as a graph through both players."""
        own = [parameter for parameter in self.game.networks[player].parameters() if parameter.requires_grad]
        total = self.game.objective(player, batch, images_seen, through=tuple(Player)).total
        return torch.autograd.grad(total, own, create_graph=True, materialize_grads=True)
