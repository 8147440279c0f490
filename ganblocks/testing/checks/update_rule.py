"""How update rules are tried, and what they promise: in a real game between toy networks."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import torch
from attrs import define, field, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.game import TwoPlayerGame
from ganblocks.options import structure
from ganblocks.registry import Registry
from ganblocks.schedules import spanning
from ganblocks.testing.cases import Case
from ganblocks.testing.promises import expect, expect_finite, expect_same, promise, tried_with
from ganblocks.testing.strategies import components, seeds
from ganblocks.testing.toys import ToyImages, toy_batches, toy_game
from ganblocks.values import (
    Batch,
    Metrics,
    Objective,
    Player,
)

SIZE = 8
STEPS = 3


@frozen(kw_only=True)
class RuleCase(Case):
    """An update rule and a toy game."""

    kind: ClassVar[str] = "update_rule"

    def game(self) -> TwoPlayerGame:
        return toy_game(seed=self.seed)

    def start(self, game: Any) -> Any:
        return spanning(self.component, 10 * SIZE).start(game)

    def batches(self, seed: int = 0) -> Any:
        return toy_batches(ToyImages(), size=SIZE, seed=self.seed + seed)


@tried_with("update_rule")
def rules(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[RuleCase]:
    return st.builds(RuleCase, component=components(cls, registry, given), seed=seeds)


@define(eq=False)
class Watched:
    """A game that sees who is asked to look, and who has moved since."""

    game: TwoPlayerGame
    spoil: Player | None = None
    """Whose gradients become NaN."""
    moved: set[Player] = field(factory=set)
    _ready: set[Player] = field(factory=set)
    """Who has asked for a gradient since its last move."""
    _asked: set[Player] = field(factory=set)
    """Who has asked for one in this iteration."""
    _seen: dict[Player, list[Tensor]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._seen = {player: self._copy(player) for player in Player}

    @property
    def networks(self) -> Mapping[Player, nn.Module]:
        return self.game.networks

    def objective(self, player: Player, batch: Batch, images_seen: int, through: Collection[Player]) -> Objective:
        self.extract_features()
        self._ready |= set(through)
        self._asked |= set(through)
        return self.game.objective(player, batch, images_seen, through)

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        self.extract_features()
        metrics = self.game.backward(player, batch, images_seen, observe)
        self._ready.add(player)
        self._asked.add(player)
        if player is self.spoil:
            for parameter in self.networks[player].parameters():
                parameter.grad = torch.full_like(parameter, torch.nan)
        return metrics

    def extract_features(self) -> None:
        """Whoever has moved since the last look must have had a fresh gradient."""
        self._judge(self._ready)

    def end(self) -> None:
        """An iteration is over: whoever has moved since its last turn must have had a gradient in the iteration."""
        self._judge(self._asked)
        self._asked.clear()

    def _judge(self, entitled: set[Player]) -> None:
        for player in Player:
            now = self._copy(player)
            if any(not torch.equal(a, b) for a, b in zip(now, self._seen[player], strict=True)):
                expect(player in entitled, f"the {player} moved without a gradient of its own since its last move")
                self._ready.discard(player)
                self.moved.add(player)
            self._seen[player] = now

    def _copy(self, player: Player) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self.networks[player].parameters()]


@promise("update_rule")
def only_the_player_that_looked_moves(case: RuleCase) -> None:
    """A player's parameters change only after its own gradient was asked for: nobody moves on another's turn.

    Once all turns of an iteration are over, a rule may step back with everybody who had one (lookahead).
    """
    game = Watched(case.game())
    updater, batches = case.start(game), case.batches()
    for iteration in range(STEPS):
        updater.step(batches, iteration * SIZE)
        game.end()


@promise("update_rule")
def uses_no_stale_gradient(case: RuleCase) -> None:
    """Gradients left over from before the iteration never reach a parameter."""
    game = case.game()
    updater, batches = case.start(game), case.batches()
    for iteration in range(STEPS):
        for network in game.networks.values():
            for parameter in network.parameters():
                parameter.grad = torch.full_like(parameter, torch.inf)
        updater.step(batches, iteration * SIZE)
        expect_all_finite(game, "with infinite gradients lying about from before the iteration")


@promise("update_rule")
def stops_at_a_gradient_that_is_not_finite(case: RuleCase) -> None:
    """A gradient that is not finite never reaches a parameter (step through ganblocks.guarded_step), and a metric shows it."""
    for spoilt in Player:
        game = Watched(case.game(), spoil=spoilt)
        updater = case.start(game)
        try:
            metrics = updater.step(case.batches(), 0)
        except (FloatingPointError, ArithmeticError):
            return
        expect_all_finite(game.game, f"after the {spoilt}'s gradient was NaN")
        if spoilt in game._ready | game.moved:
            shown = any(not torch.isfinite(value).all() for value in metrics.values())
            expect(shown, f"no metric shows that the {spoilt}'s gradient was NaN: return what guarded_step reports")


@promise("update_rule")
def reports_numbers(case: RuleCase) -> None:
    """A step returns its metrics: names to 0-dim tensors without a graph, the loss of each player that moved among them."""
    updater = case.start(case.game())
    metrics = updater.step(case.batches(), 0)
    expect(metrics, "a step returns no metrics")
    for name, value in metrics.items():
        valid = isinstance(name, str) and isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad
        expect(valid, f"metric {name!r} is {value!r}, not a 0-dim tensor without a graph")


def as_it_comes(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[RuleCase]:
    """Default options only, whose rates are not 0."""
    ours = list(given) or [structure(cls, {}, "update_rule", registry.get)]
    return st.builds(RuleCase, component=st.sampled_from(ours), seed=seeds)


@promise("update_rule", cases=as_it_comes)
def both_players_move(case: RuleCase) -> None:
    """With its default options both players have moved within three iterations."""
    game = Watched(case.game())
    updater, batches = case.start(game), case.batches()
    for iteration in range(STEPS):
        updater.step(batches, iteration * SIZE)
        game.end()
    for player in Player:
        expect(player in game.moved, f"after {STEPS} iterations the {player} has not moved")


@promise("update_rule")
def its_state_restores_bit_for_bit(case: RuleCase) -> None:
    """Restored from the states of game and rule, a run goes on exactly as if it had never stopped."""
    game = case.game()
    updater, batches = case.start(game), case.batches()
    for iteration in range(STEPS):
        updater.step(batches, iteration * SIZE)
    other = case.game()
    other.load_state_dict(copy.deepcopy(game.state_dict()))
    restored = case.start(other)
    restored.load_state_dict(copy.deepcopy(updater.state_dict()))
    for each in (updater, restored):
        batches = case.batches(seed=1)
        for iteration in range(STEPS, STEPS + 2):
            each.step(batches, iteration * SIZE)
    for name, value in game.state_dict().items():
        expect_same(other.state_dict()[name], value, f"{name} two iterations after restoring")


def expect_all_finite(game: TwoPlayerGame, when: str) -> None:
    for player, network in game.networks.items():
        for name, parameter in network.named_parameters():
            expect_finite(parameter, f"{player}.{name} {when}")
