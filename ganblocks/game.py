"""Two networks and their objectives; no optimizer, no files, no clock.

A turn changes its own player only: the parameters, gradients and buffers of the other network stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from attrs import define, field, frozen
from torch import Tensor, nn

from ganblocks.diversity import MAX_COMPARED, diversity
from ganblocks.kinds.loss import Loss
from ganblocks.kinds.module_capabilities import AddsTerm, HasEstimates, MixesSamples, Observes
from ganblocks.kinds.penalty import Penalty
from ganblocks.schedules import Constant, Moving
from ganblocks.seeding import seed_of, seeded
from ganblocks.values import Batch, Metrics, Objective, Player, Score, View
from ganblocks.weights import advance_estimates, shared_weights

C = TypeVar("C")


@frozen(eq=False)
class Term:
    """A penalty of a game: the component, its module with its state, its weight and its interval."""

    name: str
    penalty: Penalty
    module: nn.Module
    weight: Moving = Constant(1.0)
    every: int = 1
    """Computed every n-th turn of its player, and then counted n times."""

    def due(self, player: Player, turn: int) -> bool:
        """Return whether the penalty is computed in a player's turn of this number."""
        return player in self.penalty.players and turn % self.every == 0


@define(eq=False)
class PlayedTurn:
    """A player's turn on one microbatch; implements :class:`ganblocks.kinds.game.Turn`."""

    game: TwoPlayerGame
    player: Player
    images_seen: int
    latent: Tensor
    rng: torch.Generator
    real: View | None
    fake: View

    @property
    def network(self) -> nn.Module:
        """The network of the player whose turn it is."""
        return self.game.networks[self.player]

    def discriminate(self, image: Tensor, label: Tensor | None, augmented: bool = True) -> Score:
        """Return the discriminator's score of images [B, C, H, W]; no buffer changes."""
        with unchanged_buffers(self.game.networks[Player.DISCRIMINATOR]):
            return self.game.score(image, label, self.rng if augmented else None)

    def generate(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Return images [B, C, H, W] for latents [B, Z]; no buffer changes."""
        with unchanged_buffers(self.game.networks[Player.GENERATOR]):
            return self.game.make(latent, label)


@define(eq=False)
class TwoPlayerGame:
    """The objectives of both players; implements :class:`ganblocks.kinds.game.Game`.

    Args:
        networks: both players' networks, on one device, in training mode.
        loss: the adversarial loss.
        terms: the penalties.
        augment: applied to all images before the discriminator; None for nothing.
        microbatch: at most this many samples in one forward; None for the whole batch.
        precision: ``"fp32"``, or ``"bf16"`` for autocast (losses, softmax and spectral norm stay in float32).
        compared: images of a batch whose distances to each other are measured, to detect collapse.
    """

    networks: Mapping[Player, nn.Module]
    loss: Loss
    terms: Sequence[Term] = ()
    augment: nn.Module | None = None
    microbatch: int | None = None
    precision: str = "fp32"
    compared: int = MAX_COMPARED
    turns: dict[Player, int] = field(factory=lambda: dict.fromkeys(Player, 0))
    """Turns of each player so far."""
    _separate: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        # a discriminator that mixes samples must not mix real with fake
        self._separate = any(isinstance(m, MixesSamples) for m in self.networks[Player.DISCRIMINATOR].modules())

    @property
    def device(self) -> torch.device:
        """The device of both networks."""
        return next(self.networks[Player.GENERATOR].parameters()).device

    def to(self, device: torch.device | str) -> TwoPlayerGame:
        """Move networks, penalties and augment to a device, and return the game."""
        for module in self._stateful().values():
            module.to(device)
        return self

    def reads_real(self, player: Player) -> bool:
        """Return whether a turn of ``player`` reads the batch's real images."""
        return player is Player.DISCRIMINATOR or self.loss.generator_reads_real

    def objective(self, player: Player, batch: Batch, images_seen: int, through: Collection[Player]) -> Objective:
        """Return what ``player`` minimizes on a batch, a 0-dim tensor with a graph through the players in ``through``."""
        with ExitStack() as stack:
            for owner, network in self.networks.items():
                stack.enter_context(unchanged_buffers(network))
                if owner not in through:
                    stack.enter_context(frozen_parameters(network))
            objective, turn = self._play(player, batch, images_seen)
            return Objective(objective.total, objective.metrics | diversity(turn, self.compared))

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set the gradients of ``player``'s parameters, microbatch by microbatch, and return 0-dim metrics.

        With ``observe`` this is a real turn: estimates advance, modules observe it, and statistics move.
        """
        network, other = self.networks[player], self.networks[player.other]
        if observe:
            advance_estimates(network)
        for parameter in network.parameters():
            parameter.grad = None
        metrics: Metrics = {}
        turns = []
        with ExitStack() as stack:
            stack.enter_context(frozen_parameters(other))
            stack.enter_context(unchanged_buffers(other))
            if not observe:
                stack.enter_context(unchanged_buffers(network))
            for part in batch.split(self.microbatch or len(batch)):
                share = len(part) / len(batch)
                objective, turn = self._play(player, part, images_seen)
                (objective.total * share).backward()  # type: ignore[no-untyped-call]
                for name, value in objective.metrics.items():
                    metrics[name] = metrics[name] + share * value if name in metrics else share * value
                turns.append(turn)
        whole = _whole(turns)
        if observe:
            self._observe(whole)
            self.turns[player] += 1
        return metrics | diversity(whole, self.compared)

    def make(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """Return fakes [B, C, H, W], float32, for latents [B, Z]."""
        with self.autocast():
            image: Tensor = self.networks[Player.GENERATOR](latent, label)
        return image.float()

    def score(self, image: Tensor, label: Tensor | None, rng: torch.Generator | None) -> Score:
        """Return the discriminator's score of images [B, C, H, W], augmented if there is an ``rng`` to draw from."""
        with self.autocast():
            if self.augment is not None and rng is not None:
                image = self.augment(image, rng)
            score: Score = self.networks[Player.DISCRIMINATOR](image, label)
        return score

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of networks, penalties and augment (tensors of any shape), and 0-dim counts of turns, by name."""
        state = {f"turns.{player}": torch.tensor(count) for player, count in self.turns.items()}
        for name, module in self._stateful().items():
            state |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned, tensors of any shape; every name must be there, and no other."""
        known = {f"turns.{player}" for player in self.turns}
        for name, module in self._stateful().items():
            part = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
            module.load_state_dict(part)
            known |= {f"{name}.{key}" for key in part}
        if unknown := sorted(set(state) - known):
            raise KeyError(f"state of no part of this game: {', '.join(unknown[:5])}")
        for player in self.turns:
            self.turns[player] = int(state[f"turns.{player}"])

    def _stateful(self) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {str(player): network for player, network in self.networks.items()}
        modules |= {f"penalties.{term.name}": term.module for term in self.terms}
        return modules | ({"augment": self.augment} if self.augment is not None else {})

    def autocast(self) -> torch.autocast:
        """Return a context in which forwards have the precision of training."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def _play(self, player: Player, batch: Batch, images_seen: int) -> tuple[Objective, PlayedTurn]:
        """Evaluate a player's objective, with all random numbers from the batch's seed."""
        seed = seed_of(batch.seed, player)
        with seeded(seed) as rng, _seeded_cuda(self.device, seed), shared_weights(*self.networks.values()):
            due = [term for term in self.terms if term.due(player, self.turns[player])]
            turn = self._turn(player, batch, images_seen, rng, any(term.penalty.reads_image_gradient for term in due))
            return self._sum(turn, due), turn

    def _turn(self, player: Player, batch: Batch, images_seen: int, rng: torch.Generator, image_gradient: bool) -> PlayedTurn:
        fake = self.make(batch.latent, batch.fake_label)
        real = batch.image if self.reads_real(player) else None
        if image_gradient:
            fake = fake if fake.requires_grad else fake.detach().requires_grad_()
            real = None if real is None else real.detach().requires_grad_()
        if real is None:
            return PlayedTurn(self, player, images_seen, batch.latent, rng, None, self._view(fake, batch.fake_label, rng))
        if self._separate:
            views = self._view(real, batch.label, rng), self._view(fake, batch.fake_label, rng)
        else:
            views = self._views(real, batch.label, fake, batch.fake_label, rng)
        return PlayedTurn(self, player, images_seen, batch.latent, rng, *views)

    def _view(self, image: Tensor, label: Tensor | None, rng: torch.Generator) -> View:
        return View(image, label, self.score(image, label, rng))

    def _views(
        self, real: Tensor, label: Tensor | None, fake: Tensor, fake_label: Tensor | None, rng: torch.Generator
    ) -> tuple[View, View]:
        """Score real and fake images in one discriminator pass."""
        labels = None if label is None or fake_label is None else torch.cat([label, fake_label])
        score = self.score(torch.cat([real, fake]), labels, rng)
        n = len(real)
        first, second = (Score(*(None if x is None else x[part] for x in score)) for part in (slice(n), slice(n, None)))  # type: ignore[arg-type]
        return View(real, label, first), View(fake, fake_label, second)

    def _sum(self, turn: PlayedTurn, due: Sequence[Term]) -> Objective:
        """Add up the adversarial loss, terms of the discriminator's modules, and the penalties that are due."""
        player, real, fake = turn.player, turn.real, turn.fake.score.logits
        if player is Player.DISCRIMINATOR:
            assert real is not None, "a discriminator's turn always has real images"
            total = self.loss.for_discriminator(real.score.logits, fake)
            metrics = {"discriminator/real": real.score.logits.mean().detach(), "discriminator/fake": fake.mean().detach()}
        else:
            total, metrics = self.loss.for_generator(None if real is None else real.score.logits, fake), {}
        metrics[f"{player}/loss"] = total.detach()
        for module in capable(self.networks[Player.DISCRIMINATOR], AddsTerm):
            term = module.term(turn)
            total = total + term
            metrics[f"{player}/term"] = metrics.get(f"{player}/term", 0) + term.detach()
        for penalty in due:
            value = penalty.module(turn)
            total = total + value * (penalty.weight.at(turn.images_seen) * penalty.every)
            metrics[f"{player}/{penalty.name}"] = value.detach()
        return Objective(total, metrics)

    @torch.no_grad()
    def _observe(self, turn: PlayedTurn) -> None:
        for module in self._stateful().values():
            for observer in capable(module, Observes):
                observer.observe(turn)


def capable(network: nn.Module, capability: type[C]) -> Iterator[C]:
    """Return the modules of a network that have a capability."""
    return (module for module in network.modules() if isinstance(module, capability))


def named_capable(network: nn.Module, capability: type[Any]) -> list[tuple[str, Any]]:
    """Return (path, module) of the modules of a network that have a capability."""
    return [(path, module) for path, module in network.named_modules() if isinstance(module, capability)]


@contextmanager
def frozen_parameters(network: nn.Module) -> Iterator[None]:
    """Keep gradients from the parameters of a network within the block."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def unchanged_buffers(network: nn.Module) -> Iterator[None]:
    """Restore all buffers of a network after the block.

    Forwards write into copies, because autograd may still need the values that they saw. Modules with estimates are skipped:
    their forward changes nothing.
    """
    originals = [
        (module._buffers, name, buffer)
        for module in network.modules()
        if not isinstance(module, HasEstimates)
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    for buffers, name, buffer in originals:
        buffers[name] = buffer.clone()
    try:
        yield
    finally:
        for buffers, name, buffer in originals:
            buffers[name] = buffer


@contextmanager
def _seeded_cuda(device: torch.device, seed: int) -> Iterator[None]:
    """Seed CUDA's generator within the block, for modules that draw random numbers on the device."""
    if device.type != "cuda":
        yield
        return
    generator = torch.cuda.default_generators[device.index or 0]
    state = generator.get_state()
    generator.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(state)


def _whole(turns: Sequence[PlayedTurn]) -> PlayedTurn:
    """Join the microbatches of one turn, detached."""
    first = turns[0]
    latent = torch.cat([turn.latent for turn in turns])
    real = None if first.real is None else _joined([turn.real for turn in turns if turn.real is not None])
    return PlayedTurn(
        first.game, first.player, first.images_seen, latent, first.rng, real, _joined([turn.fake for turn in turns])
    )


def _joined(views: Sequence[View]) -> View:
    def cat(parts: Sequence[Tensor | None]) -> Tensor | None:
        tensors = [part.detach() for part in parts if part is not None]
        return torch.cat(tensors) if tensors else None

    image = torch.cat([view.image.detach() for view in views])
    logits = torch.cat([view.score.logits.detach() for view in views])
    classes, features = cat([view.score.classes for view in views]), cat([view.score.features for view in views])
    return View(image, cat([view.label for view in views]), Score(logits, classes, features))
