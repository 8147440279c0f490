"""A second trainer, of torch and a few formulas: what a run must have done, step by step.

It takes the networks as they began, the batches and the augmentation from the run's parts, and computes all else by itself.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from attrs import define, field
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from ganblocks.kinds.module_capabilities import (
    Gated,
    HasEstimates,
    MixesSamples,
    SingularValue,
)
from ganblocks.seeding import seed_of
from ganblocks.values import Batch, Player
from tests.outcomes.zoo import Kept

LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "hinge": (lambda real, fake: relu(1 - real).mean() + relu(1 + fake).mean(), lambda fake: -fake.mean()),
    "non_saturating": (
        lambda real, fake: softplus(-real).mean() + softplus(fake).mean(),
        lambda fake: softplus(-fake).mean(),
    ),
}


@define(eq=False, slots=False)
class Replay:
    """Plays a run again. ``rates``, ``penalty_weight``: of images seen; ``penalty_every``: 0 for no gradient penalty."""

    kept: Kept
    loss: str
    discriminator_steps: int
    rates: Callable[[int], tuple[float, float]]
    betas: tuple[float, float]
    decay: float
    start: int
    penalty_weight: Callable[[int], float] = lambda seen: 0.0
    penalty_every: int = 0
    records: list[dict[str, float]] = field(factory=list)
    averages: list[dict[str, Tensor]] = field(factory=list)
    """Parameter name -> the moving average after each step."""
    seen: int = 0
    generated: int = 0
    turns: int = 0

    def __attrs_post_init__(self) -> None:
        self.G, self.D = (copy.deepcopy(self.kept.networks[name]) for name in ("generator", "discriminator"))
        self.optimizers = {net: torch.optim.Adam(net.parameters(), betas=self.betas, foreach=True) for net in (self.G, self.D)}
        self.average = {name: value.detach().clone() for name, value in self.G.named_parameters()}
        self.size = self.kept.recipe.training.batch
        self.part = self.kept.recipe.training.microbatch or self.size

    def step(self) -> None:
        before, found = self.seen, defaultdict[str, list[float]](list)
        for _ in range(self.discriminator_steps):
            self._discriminator(before, found)
        self._generator(before, found)
        keep = self.decay if self.seen > self.start else 0.0
        for name, value in self.G.named_parameters():
            self.average[name] = keep * self.average[name] + (1 - keep) * value.detach()
        self.averages.append(dict(self.average))
        self.records.append({name: float(np.mean(values)) for name, values in found.items()} | self._state())

    def _discriminator(self, before: int, found: dict[str, list[float]]) -> None:
        batch = self.kept.session.batches.at(Player.DISCRIMINATOR, self.seen)
        self._advance(self.D)
        self.optimizers[self.D].zero_grad()
        sums, fakes = defaultdict[str, float](float), []
        for piece in batch.split(self.part):
            share = len(piece) / len(batch)
            with torch.no_grad():
                fake = copy.deepcopy(self.G)(piece.latent, piece.fake_label)
            due = self.penalty_every and self.turns % self.penalty_every == 0
            real = piece.image.detach().clone().requires_grad_(bool(due))
            on_real, on_fake = self._judge(piece, real, fake, Player.DISCRIMINATOR, self.D)
            assert on_real is not None
            total = adversarial = LOSSES[self.loss][0](on_real, on_fake)
            if due:
                (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
                penalty = slope.square().sum((1, 2, 3)).mean() / 2
                total = total + penalty * self.penalty_weight(before) * self.penalty_every
                sums["discriminator/r1"] += share * float(penalty.detach())
            (total * share).backward()
            sums["discriminator/loss"] += share * float(adversarial.detach())
            sums["discriminator/real"] += share * float(on_real.detach().mean())
            sums["discriminator/fake"] += share * float(on_fake.detach().mean())
            fakes.append(fake)
        sums["discriminator/gradient_norm"] = self._move(self.D, self.rates(before)[1])
        sums["real/nearest"], sums["fake/nearest"] = nearest(batch.image), nearest(torch.cat(fakes))
        self.seen, self.turns = self.seen + len(batch), self.turns + 1
        for name, value in sums.items():
            found[name].append(value)

    def _generator(self, before: int, found: dict[str, list[float]]) -> None:
        batch = self.kept.session.batches.at(Player.GENERATOR, self.generated)
        self._advance(self.G)
        self.optimizers[self.G].zero_grad()
        loss = 0.0
        for piece in batch.split(self.part):
            share = len(piece) / len(batch)
            fake = self.G(piece.latent, piece.fake_label)
            _, on_fake = self._judge(piece, None, fake, Player.GENERATOR, copy.deepcopy(self.D))
            value = LOSSES[self.loss][1](on_fake)
            (value * share).backward()
            loss += share * float(value.detach())
        found["generator/loss"].append(loss)
        found["generator/gradient_norm"].append(self._move(self.G, self.rates(before)[0]))
        self.generated += len(batch)

    def _judge(
        self, piece: Batch, real: Tensor | None, fake: Tensor, player: Player, network: nn.Module
    ) -> tuple[Tensor | None, Tensor]:
        """Logits of real and fake, both augmented: together, but apart where the discriminator mixes samples."""
        rng = torch.Generator().manual_seed(seed_of(piece.seed, player))
        augment = self.kept.session.game.augment or (lambda image, rng: image)
        if real is None:
            return None, network(augment(fake, rng), piece.fake_label).logits
        if any(isinstance(module, MixesSamples) for module in network.modules()):
            first = network(augment(real, rng), piece.label).logits
            return first, network(augment(fake, rng), piece.fake_label).logits
        labels = None if piece.label is None or piece.fake_label is None else torch.cat([piece.label, piece.fake_label])
        logits = network(augment(torch.cat([real, fake]), rng), labels).logits
        return logits[: len(real)], logits[len(real) :]

    def _advance(self, network: nn.Module) -> None:
        for module in network.modules():
            if isinstance(module, HasEstimates):
                module.advance()

    def _move(self, network: nn.Module, rate: float) -> float:
        """One step of Adam; returns the norm of the gradient."""
        optimizer = self.optimizers[network]
        optimizer.param_groups[0]["lr"] = rate
        norm = sum(float(each.grad.double().square().sum()) for each in network.parameters() if each.grad is not None) ** 0.5
        optimizer.step()
        return norm

    def _state(self) -> dict[str, float]:
        """Norms of all that is held, γ and σ."""
        found: dict[str, Any] = {"average/norm": norm_of(self.average.values())}
        for name, network in (("generator", self.G), ("discriminator", self.D)):
            buffers = [each for each in network.buffers() if each.is_floating_point()]
            found[f"{name}/norm"] = norm_of([*network.parameters(), *buffers])
            for path, module in network.named_modules():
                if isinstance(module, Gated):
                    found[f"gamma/{name}.{path}"] = float(module.gamma.detach())
                if isinstance(module, SingularValue):
                    found[f"sigma/{name}.{path}"] = largest(module)
        return found


def norm_of(tensors: Any) -> float:
    return float(sum(each.detach().double().square().sum() for each in tensors)) ** 0.5


def largest(module: nn.Module) -> float:
    """The largest singular value of the weight that a module normalises, as a matrix of (outputs, all the rest)."""
    (weight,) = [value for name, value in module.named_parameters() if name.endswith("weight")]
    return float(torch.linalg.svdvals(weight.detach().double().flatten(1))[0])


def nearest(images: Tensor) -> float:
    """Mean distance to the nearest other image, as the root of the mean square over pixels."""
    flat = images.detach().double().flatten(1).numpy()
    apart = np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(2))
    return float(np.where(np.eye(len(flat), dtype=bool), np.inf, apart).min(1).mean())
