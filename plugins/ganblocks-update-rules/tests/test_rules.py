from __future__ import annotations

import copy
import importlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
import ganblocks_update_rules
import pytest
import torch
from attrs import define, field, frozen
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.consensus import Consensus
from ganblocks_update_rules.extragradient import Extragradient
from ganblocks_update_rules.lookahead import Lookahead
from ganblocks_update_rules.optimistic import Optimistic
from ganblocks_update_rules.optimizers import SGD, Adam, AdamW, NAdam, RAdam, RMSprop
from ganblocks_update_rules.simultaneous import Simultaneous
from ganblocks_update_rules.ttur import TTUR
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganblocks import (
    Batch,
    Checked,
    CheckpointError,
    Cosine,
    Facts,
    Game,
    ImageSpec,
    LinearSchedule,
    Metrics,
    Player,
    UpdateRule,
    WarmUp,
)
from ganblocks.kinds import KINDS
from ganblocks.testing import examples
from ganblocks.testing.toys import BilinearGame, toy_batches, toy_game

G, D = Player.GENERATOR, Player.DISCRIMINATOR
FACTS = Facts(ImageSpec(1, 8, 4), ())
RATES = {"generator": SGD(rate=0.1), "discriminator": SGD(rate=0.3)}


def rules(generator: Any, discriminator: Any) -> dict[str, UpdateRule]:
    both = {"generator": generator, "discriminator": discriminator}
    return {
        "alternating": Alternating(**both, discriminator_steps=2),
        "generator_first": Alternating(**both, order="generator_first"),
        "ttur": TTUR(**both, rate_factor=LinearSchedule(start=1.0, end=0.1, images=60)),
        "simultaneous": Simultaneous(**both),
        "extragradient": Extragradient(**both),
        "optimistic": Optimistic(**both),
        "lookahead": Lookahead(rule=Alternating(**both), steps=2, alpha=0.5),
        "consensus": Consensus(**both, weight=0.1),
    }


@define(eq=False)
class Watched:
    """A game that checks, between turns, that only the player of the last turn has moved."""

    game: Game
    turns: list[Player] = field(factory=list)
    before: dict[Player, list[torch.Tensor]] = field(factory=dict)

    @property
    def networks(self) -> Any:
        return self.game.networks

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        self.check()
        self.turns.append(player)
        self.before = {player: [p.detach().clone() for p in self.networks[player].parameters()] for player in Player}
        return self.game.backward(player, batch, images_seen, observe)

    def check(self) -> None:
        for player, parameters in self.before.items():
            now = self.networks[player].parameters()
            still = [torch.equal(old, new) for old, new in zip(parameters, now, strict=True)]
            assert not all(still) if player is self.turns[-1] else all(still)


def batch_for(player: Player) -> Batch:
    return Batch(torch.zeros(1), None, torch.zeros(1), None, seed=0)


@pytest.mark.statement(80)
@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from(["discriminator_first", "generator_first"]))
@examples(20)
def test_turns_come_in_order_each_on_a_fresh_batch(iterations: int, steps: int, order: Any) -> None:
    drawn: list[tuple[Player, Batch]] = []

    def next_batch(player: Player) -> Batch:
        drawn.append((player, batch_for(player)))
        return drawn[-1][1]

    game = BilinearGame()
    updater = Alternating(**RATES, discriminator_steps=steps, order=order).start(game)
    for i in range(iterations):
        updater.step(next_batch, images_seen=10 * i)
    turn = [D] * steps + [G] if order == "discriminator_first" else [G] + [D] * steps
    assert [player for player, _, _ in game.calls] == turn * iterations
    assert [seen for _, _, seen in game.calls] == [10 * i for i in range(iterations) for _ in turn]
    assert all(a is d and p is q for (p, a, _), (q, d) in zip(game.calls, drawn, strict=True))
    state = updater.state_dict()
    assert (state["discriminator"]["updates"], state["generator"]["updates"]) == (iterations * steps, iterations)


def test_discriminator_first_is_the_default() -> None:
    assert Alternating(**RATES).order == "discriminator_first"


@pytest.mark.statement(56)
@pytest.mark.parametrize("rule", [Alternating(**RATES, discriminator_steps=2), TTUR(**RATES, order="generator_first")])
def test_only_the_player_of_a_turn_moves(rule: UpdateRule) -> None:
    game = Watched(toy_game())
    updater = rule.start(game)  # type: ignore[arg-type]
    batches = toy_batches()
    for _ in range(2):
        updater.step(batches, 0)
    game.check()
    assert set(game.turns) == {G, D}


def closed_form(rule: str, x: float, y: float, a: float, b: float) -> tuple[float, float]:
    """One iteration on xy with the generator's rate a and the discriminator's b."""
    if rule == "simultaneous":
        return x - a * y, y + b * x
    if rule == "generator_first":
        x = x - a * y
        return x, y + b * x
    y = y + b * x
    return x - a * y, y


@pytest.mark.parametrize("name", ["discriminator_first", "generator_first", "simultaneous"])
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(1e-3, 1), st.floats(1e-3, 1))
@examples(20)
def test_bilinear_game_moves_as_in_closed_form(name: str, x: float, y: float, a: float, b: float) -> None:
    both: dict[str, Any] = {"generator": SGD(rate=a), "discriminator": SGD(rate=b)}
    rule = Simultaneous(**both) if name == "simultaneous" else Alternating(**both, order=name)
    game = BilinearGame(torch.tensor([x], dtype=torch.float64), torch.tensor([y], dtype=torch.float64))
    updater = rule.start(game)
    for _ in range(3):
        updater.step(batch_for, 0)
        x, y = closed_form(name, x, y, a, b)
    assert (game.point(G).item(), game.point(D).item()) == pytest.approx((x, y), rel=1e-12, abs=1e-12)


def test_simultaneous_descent_spirals_outwards() -> None:
    """The radius grows by √(1 + η²) a step: Gidel et al. 2019, proposition 1."""
    game = BilinearGame()
    updater = Simultaneous(generator=SGD(rate=0.2), discriminator=SGD(rate=0.2)).start(game)
    radius = 2**0.5
    for _ in range(5):
        updater.step(batch_for, 0)
        radius *= (1 + 0.2**2) ** 0.5
        assert torch.hypot(game.point(G), game.point(D)).item() == pytest.approx(radius)


def test_simultaneous_reads_both_gradients_at_one_point_of_a_real_game() -> None:
    game, batch = toy_game(), toy_batches()(D)
    expected = {}
    for player in Player:
        parameters = list(game.networks[player].parameters())
        gradients = torch.autograd.grad(game.objective(player, batch, 0, (player,)).total, parameters)
        expected[player] = [(p.detach() - 0.1 * g) for p, g in zip(parameters, gradients, strict=True)]
    drawn: list[Player] = []
    updater = Simultaneous(generator=SGD(rate=0.1), discriminator=SGD(rate=0.1)).start(game)
    metrics = updater.step(lambda player: drawn.append(player) or batch, 0)  # type: ignore[func-returns-value]
    assert drawn == [D]
    for player in Player:
        torch.testing.assert_close(list(game.networks[player].parameters()), expected[player], rtol=1e-6, atol=1e-7)
        assert metrics[f"{player}/gradient_norm"] > 0


rise = st.builds(
    WarmUp, images=st.integers(1, 50), start=st.just(0.1), then=st.just(LinearSchedule(start=1.0, end=0.01, images=200))
)
fall = st.builds(Cosine, start=st.floats(0.1, 2), end=st.floats(1e-3, 0.1), images=st.integers(1, 200))
factors = st.one_of(st.floats(1e-3, 10), rise, fall)


@pytest.mark.statement(76)
@given(factors, st.floats(1e-6, 1e-2), st.floats(1.01, 10), st.integers(1, 3))
@examples(30)
def test_ttur_keeps_the_ratio_of_the_rates(factor: Any, slow: float, ratio: float, steps: int) -> None:
    component = TTUR(
        generator=SGD(rate=slow), discriminator=SGD(rate=slow * ratio), rate_factor=factor, discriminator_steps=steps
    )
    updater = component.start(BilinearGame())
    for seen in (0, 7, 30, 100, 1000):
        updater.step(batch_for, seen)
        rates = {player: updater.players[player].optimizer.param_groups[0]["lr"] for player in Player}
        assert rates[D] / rates[G] == pytest.approx(slow * ratio / slow, rel=1e-12)
        assert rates[G] == pytest.approx(slow * component.rate_factor.at(seen), rel=1e-12)


def complaints(generator: Any, discriminator: Any) -> list[str]:
    rule = TTUR(generator=generator, discriminator=discriminator)
    assert isinstance(rule, Checked)  # how the core finds the check
    return list(rule.check(FACTS))


def test_ttur_accepts_two_time_scales() -> None:
    assert complaints(Adam(rate=1e-4), Adam(rate=4e-4)) == []


@pytest.mark.parametrize("fast", [1e-4, 5e-5])
def test_ttur_refuses_equal_and_inverted_rates(fast: float) -> None:
    (complaint,) = complaints(Adam(rate=1e-4), Adam(rate=fast))
    assert '"alternating"' in complaint
    assert "0.0001" in complaint


@pytest.mark.parametrize("players", [{"generator"}, {"discriminator"}, {"generator", "discriminator"}])
def test_ttur_refuses_rates_that_move_on_their_own(players: set[str]) -> None:
    falling = Adam(rate=Cosine(start=4e-4, end=0.0))  # without a length, as it stands in a recipe
    rates = {"generator": Adam(rate=1e-4), "discriminator": Adam(rate=4e-4)} | dict.fromkeys(players, falling)
    (complaint,) = complaints(**rates)
    assert "update.rate_factor" in complaint
    assert all(player in complaint for player in players)


def test_a_gradient_that_is_not_finite_in_any_of_several_turns_shows() -> None:
    """A step that goes wrong only in the first of three turns must not hide behind the last one."""
    game = BilinearGame()
    updater = Alternating(**RATES, discriminator_steps=3).start(game)
    real, turns = game.backward, Counter[Player]()

    def backward(player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        metrics = real(player, batch, images_seen, observe)
        turns[player] += 1
        if player is D and turns[D] == 1:
            game.point(D).grad.fill_(torch.inf)  # type: ignore[union-attr]
        return metrics

    updater.game = type("Wrapped", (), {"networks": game.networks, "backward": staticmethod(backward)})()
    metrics = updater.step(batch_for, 0)
    assert not metrics["discriminator/gradient_norm"].isfinite()
    assert metrics["generator/gradient_norm"].isfinite()
    assert game.point(D).isfinite().all()


def test_metrics_are_means_over_a_players_turns() -> None:
    game = BilinearGame()
    metrics = Alternating(**RATES, discriminator_steps=2).start(game).step(batch_for, 0)
    assert metrics["discriminator/loss"].item() == pytest.approx((-1.0 - 1.3) / 2)
    assert metrics["discriminator/gradient_norm"].item() == pytest.approx(1.0)
    assert metrics["generator/loss"].item() == pytest.approx(1.6)


def through_a_file(value: Any) -> Any:
    """What a checkpoint does to a state: tensors lose their strides, and plain values pass through JSON."""
    if isinstance(value, torch.Tensor):
        return value.clone(memory_format=torch.contiguous_format)
    if isinstance(value, dict):
        return {key: through_a_file(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(through_a_file(item) for item in value)
    return json.loads(json.dumps(value))


def play(updater: Any, batches: Iterable[Batch], iterations: int) -> None:
    source = iter(batches)
    for i in range(iterations):
        updater.step(lambda player: next(source), 8 * i)


PAIRS = {
    "adam": (Adam(rate=1e-3), Adam(rate=4e-3)),
    "mixed": (RMSprop(rate=1e-3, momentum=0.5, centered=True), SGD(rate=1e-2, momentum=0.9)),
    "stateless": (SGD(rate=1e-3), AdamW(rate=4e-3)),
    "family": (NAdam(rate=1e-3), RAdam(rate=4e-3)),
}


@pytest.mark.statement(79)
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", list(rules(SGD(), SGD())))
def test_a_restored_state_goes_on_to_the_bit(name: str, pair: str) -> None:
    rule, draw = rules(*PAIRS[pair])[name], toy_batches()
    first, second = ([draw(D) for _ in range(9)] for _ in range(2))
    game, again = toy_game(), toy_game(seed=1)
    for network in (*game.networks.values(), *again.networks.values()):
        network.to(memory_format=torch.channels_last)
    updater, restored = rule.start(game), rule.start(again)
    play(updater, first, 3)
    saved, kept = through_a_file(updater.state_dict()), through_a_file(game.state_dict())
    untouched = copy.deepcopy(saved)
    play(updater, second, 3)

    play(restored, reversed(first), 1)  # what was there before must not matter
    again.load_state_dict(kept)
    restored.load_state_dict(saved)
    play(restored, second, 3)
    assert_equal(again.state_dict(), game.state_dict())
    assert_equal(restored.state_dict(), updater.state_dict())
    assert_equal(saved, untouched)


def assert_equal(a: Any, b: Any) -> None:
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        for one, other in zip(a, b, strict=True):
            assert_equal(one, other)
    else:
        assert a == b


def test_a_restored_state_has_the_layout_of_its_parameters() -> None:
    game = toy_game()
    game.networks[D].to(memory_format=torch.channels_last)
    updater = Alternating(generator=Adam(), discriminator=Adam()).start(game)
    updater.step(toy_batches(), 0)
    updater.load_state_dict(through_a_file(updater.state_dict()))
    parameters = dict(game.networks[D].named_parameters())
    moments = updater.state_dict()["discriminator"]["parameters"]
    assert {name: m["exp_avg_sq"].stride() for name, m in moments.items()} == {n: p.stride() for n, p in parameters.items()}


def test_state_is_reachable_by_name() -> None:
    game = toy_game()
    updater = TTUR(generator=Adam(), discriminator=Adam()).start(game)
    updater.step(toy_batches(), 0)
    state = updater.state_dict()
    assert set(state["generator"]["parameters"]) == {name for name, _ in game.networks[G].named_parameters()}
    assert state["generator"]["parameters"]["linear.weight"]["exp_avg"].shape == (128, 6)
    assert json.dumps([state[player]["groups"] for player in Player])


@frozen
class SortedBySize:
    """An optimizer whose groups do not stand in the network's order, as those that treat matrices apart."""

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        ordered = sorted(parameters, key=lambda p: -p.numel())
        return torch.optim.Adam([{"params": ordered[:2]}, {"params": ordered[2:], "eps": 1e-6}])

    def settings(self, images_seen: int) -> dict[str, Any]:
        return {"lr": 1e-3}


def test_names_survive_an_optimizer_that_sorts() -> None:
    game = toy_game()
    updater = Alternating(generator=SortedBySize(), discriminator=Adam()).start(game)
    updater.step(toy_batches(), 0)
    state = updater.state_dict()["generator"]
    shapes = {name: parameter.shape for name, parameter in game.networks[G].named_parameters()}
    assert {name: moments["exp_avg"].shape for name, moments in state["parameters"].items()} == shapes
    assert [group["eps"] for group in state["groups"]] == [1e-8, 1e-6]
    updater.load_state_dict(through_a_file(updater.state_dict()))
    assert_equal(updater.state_dict()["generator"], state)


def test_state_of_another_network_or_optimizer_is_refused() -> None:
    def played(generator: Any) -> Any:
        updater = Alternating(generator=generator, discriminator=Adam()).start(toy_game())
        updater.step(toy_batches(), 0)
        return updater

    updater = played(Adam())
    with pytest.raises(CheckpointError, match="another one's"):
        updater.load_state_dict(played(RMSprop()).state_dict())
    foreign = played(Adam()).state_dict()
    foreign["generator"]["parameters"]["colour.weight"] = foreign["generator"]["parameters"].pop("linear.weight")
    with pytest.raises(CheckpointError, match=r"colour\.weight"):
        updater.load_state_dict(foreign)


@pytest.mark.parametrize("options", [{"discriminator_steps": 0}, {"discriminator_steps": 1.0}, {"order": "random"}])
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        Alternating(**RATES, **options)


def test_a_negative_rate_factor_is_refused() -> None:
    with pytest.raises(ValueError, match="rate_factor"):
        TTUR(**RATES, rate_factor=-1.0)


def test_every_offer_is_a_component_of_its_kind() -> None:
    offers = {
        "update_rule": ganblocks_update_rules.ganblocks_update_rules(),
        "optimizer": ganblocks_update_rules.ganblocks_optimizers(),
    }
    for kind, offer in offers.items():
        for name, target in offer.items():
            module, _, qualified = target.partition(":")
            component = getattr(importlib.import_module(module), qualified)
            assert attrs.has(component), name
            assert all(callable(getattr(component, method)) for method in KINDS[kind].methods), name
            assert component.__doc__, name
