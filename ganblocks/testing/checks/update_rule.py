"""How update rules are tested, and their properties: in a real game between toy networks."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import torch
from attrs import define, field, frozen
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from ganblocks.game import TwoPlayerGame
from ganblocks.schedules import spanning
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn
from ganblocks.testing.properties import properties
from ganblocks.testing.toys import ToyImages, toy_batches, toy_game
from ganblocks.values import Batch, Metrics, Objective, Player

SIZE = 8
STEPS = 3


@frozen(kw_only=True)
class RuleCase(Case):
    """An update rule and a toy game."""

    kind: ClassVar[str] = "update_rule"

    def game(self) -> TwoPlayerGame:
        """Return a new toy game."""
        return toy_game(seed=self.seed)

    def start(self, game: Any) -> Any:
        """Return the rule's updater of a game."""
        return spanning(self.component, 10 * SIZE).start(game)

    def batches(self, seed: int = 0) -> Any:
        """Return a ``NextBatch``."""
        return toy_batches(ToyImages(), size=SIZE, seed=self.seed + seed)

    def traced(self) -> TracedGame:
        """Return a traced game after three iterations."""
        game = TracedGame(self.game())
        updater, batches = self.start(game), self.batches()
        for iteration in range(STEPS):
            updater.step(batches, iteration * SIZE)
            game.end()
        return game


@define(eq=False)
class TracedGame:
    """A game that records who asked for a gradient, and fails where a player moves without one."""

    game: TwoPlayerGame
    spoilt: Player | None = None
    """The player whose gradients become NaN."""
    moved: set[Player] = field(factory=set)
    ready: set[Player] = field(factory=set)
    """Players that have asked for a gradient since their last move."""
    _asked: set[Player] = field(factory=set)
    """Players that have asked for one in this iteration."""
    _last: dict[Player, Tensor] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._last = {player: self._parameters(player) for player in Player}

    @property
    def networks(self) -> Mapping[Player, nn.Module]:
        """The networks of the game."""
        return self.game.networks

    def objective(self, player: Player, batch: Batch, images_seen: int, through: Collection[Player]) -> Objective:
        """Return the game's objective; the players in ``through`` ask for a gradient."""
        self._ask(through)
        return self.game.objective(player, batch, images_seen, through)

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set the player's gradients."""
        self._ask((player,))
        metrics = self.game.backward(player, batch, images_seen, observe)
        if player is self.spoilt:
            _fill_gradients(self.networks[player], torch.nan)
        return metrics

    def end(self) -> None:
        """End an iteration: players that have moved since their last turn must have asked for a gradient within it."""
        self._expect_moves_of(self._asked)
        self._asked.clear()

    def _ask(self, players: Collection[Player]) -> None:
        """Players that have moved since the last request must have had a new gradient."""
        self._expect_moves_of(self.ready)
        self.ready |= set(players)
        self._asked |= set(players)

    def _expect_moves_of(self, allowed: set[Player]) -> None:
        for player in Player:
            now = self._parameters(player)
            if not torch.equal(now, self._last[player]):
                expect.that(player in allowed, f"the {player} moved without a gradient of its own since its last move")
                self.ready.discard(player)
                self.moved.add(player)
            self._last[player] = now

    def _parameters(self, player: Player) -> Tensor:
        return parameters_to_vector(self.networks[player].parameters()).detach().clone()


def only_the_player_that_looked_moves(case: RuleCase) -> None:
    """A player's parameters change only after its own gradient was asked for, never on the other's turn.

    Once all turns of an iteration are over, a rule may step back with both players (lookahead).
    """
    case.traced()


def uses_no_stale_gradient(case: RuleCase) -> None:
    """Gradients left over from before the iteration never reach a parameter."""
    game = case.game()
    updater, batches = case.start(game), case.batches()
    for iteration in range(STEPS):
        for network in game.networks.values():
            _fill_gradients(network, torch.inf)
        updater.step(batches, iteration * SIZE)
        _expect_finite_parameters(game, "with infinite gradients left over from before the iteration")


def stops_at_a_gradient_that_is_not_finite(case: RuleCase) -> None:
    """A gradient that is not finite never reaches a parameter (step through ganblocks.guarded_step), and a metric shows it."""
    for spoilt in Player:
        game = TracedGame(case.game(), spoilt)
        updater = case.start(game)
        try:
            metrics = updater.step(case.batches(), 0)
        except (FloatingPointError, ArithmeticError):
            return
        _expect_finite_parameters(game.game, f"after the {spoilt}'s gradient was NaN")
        if spoilt in game.ready | game.moved:
            shown = any(not torch.isfinite(value).all() for value in metrics.values())
            expect.that(shown, f"no metric shows that the {spoilt}'s gradient was NaN: return what guarded_step reports")


def reports_numbers(case: RuleCase) -> None:
    """A step returns metrics: names to 0-dim tensors without a graph."""
    metrics = case.start(case.game()).step(case.batches(), 0)
    expect.that(metrics, "a step returns no metrics")
    for name, value in metrics.items():
        valid = isinstance(name, str) and isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad
        expect.that(valid, f"metric {name!r} is {value!r}, not a 0-dim tensor without a graph")


def both_players_move(case: RuleCase) -> None:
    """With its default options both players have moved within three iterations."""
    moved = case.traced().moved
    for player in Player:
        expect.that(player in moved, f"after {STEPS} iterations the {player} has not moved")


def its_state_restores_bit_for_bit(case: RuleCase) -> None:
    """Restored from the states of game and rule, training continues bit for bit."""
    game, other = case.game(), case.game()
    updater, batches = case.start(game), case.batches()
    for iteration in range(STEPS):
        updater.step(batches, iteration * SIZE)
    other.load_state_dict(copy.deepcopy(game.state_dict()))
    restored = case.start(other)
    restored.load_state_dict(copy.deepcopy(updater.state_dict()))
    for rule in (updater, restored):
        batches = case.batches(seed=1)
        for iteration in range(STEPS, STEPS + 2):
            rule.step(batches, iteration * SIZE)
    for name, value in game.state_dict().items():
        expect.same(other.state_dict()[name], value, f"{name} two iterations after restoring")


CASES = drawn(RuleCase)
PROPERTIES = (
    *properties(
        only_the_player_that_looked_moves, uses_no_stale_gradient, stops_at_a_gradient_that_is_not_finite, reports_numbers
    ),
    *properties(both_players_move, cases=drawn(RuleCase, defaults=True)),  # other rates may be 0
    *properties(its_state_restores_bit_for_bit),
)


def _fill_gradients(network: nn.Module, value: float) -> None:
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, value)


def _expect_finite_parameters(game: TwoPlayerGame, when: str) -> None:
    for player, network in game.networks.items():
        for name, parameter in network.named_parameters():
            expect.finite(parameter, f"{player}.{name} {when}")
