"""The contract's proof: six plugins by strangers, played by a core that has never heard of them."""

from __future__ import annotations

import ast
import copy
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pluggy
import pytest
import torch
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.optimizers import SGD, Adam
from ganblocks_update_rules.simultaneous import Simultaneous

from ganblocks import Batch, Classes, ImageSpec, Misfit, Player, Site, hookspecs
from ganblocks.game import Game, Term
from ganblocks.kinds import KINDS
from ganblocks.testing.toys import (
    BilinearGame,
    Identity,
    LinearHead,
    Logistic,
    ToyDiscriminator,
    ToyGenerator,
    toy_batches,
    toy_game,
)

FOLDER = Path(__file__).parent / "fixtures" / "contract"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
G, D = Player.GENERATOR, Player.DISCRIMINATOR


def load(name: str) -> Any:
    """Import one of the strangers as a module of its own."""
    full = f"contract_proof_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def toy_discriminator(attention: Any = None, conditioning: Any = None) -> ToyDiscriminator:
    return ToyDiscriminator(attention=attention or Identity(), conditioning=conditioning or LinearHead())


def with_term(component: Any, seed: int = 0, **options: Any) -> Game:
    every = options.pop("every", 1)
    return toy_game(terms=[Term("proof", component, component.build(), every=every)], seed=seed, **options)


def noisy_game(seed: int = 0) -> Game:
    block = load("noisy_attention").NoisyAttention()
    return toy_game(ToyGenerator(attention=block), toy_discriminator(attention=block), seed=seed)


GAMES: dict[str, Callable[[int], Game]] = {
    "ada": lambda seed: toy_game(augment=load("ada").ADA(images=64, target=0.0).build(), seed=seed),
    "auxiliary_classifier": lambda seed: toy_game(
        discriminator=toy_discriminator(conditioning=load("auxiliary_classifier").AuxiliaryClassifier()), seed=seed
    ),
    "consensus": lambda seed: toy_game(seed=seed),
    "consistency": lambda seed: with_term(load("consistency").Consistency(), seed),
    "lecam": lambda seed: with_term(load("lecam").LeCam(), seed),
    "noisy_attention": noisy_game,
}


def start(name: str, game: Game) -> Any:
    both: dict[str, Any] = {"generator": Adam(rate=1e-3), "discriminator": Adam(rate=4e-3)}
    rule = load("consensus").Consensus(**both, consensus=0.1) if name == "consensus" else Alternating(**both)
    return rule.start(game)


def test_every_stranger_is_played() -> None:
    assert sorted(GAMES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_needs_only_public_names(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "ganblocks" in imported
    assert not [module for module in imported if module is not None and module.startswith("ganblocks.")]


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_offers_one_component_of_its_kind(name: str) -> None:
    manager = pluggy.PluginManager("ganblocks")
    manager.add_hookspecs(hookspecs)
    manager.register(load(name))
    manager.check_pending()
    offers = {kind: offer for kind in KINDS.values() for offer in getattr(manager.hook, kind.hook)()}
    ((kind, offer),) = offers.items()
    ((offered, component),) = offer.items()
    assert offered == f"proof_{name}"
    assert all(callable(getattr(component, method)) for method in kind.methods)
    assert all(hasattr(component, fact) for fact in kind.facts)


@pytest.mark.parametrize("name", NAMES)
def test_training_moves_every_parameter_and_stays_finite(name: str) -> None:
    game = GAMES[name](0)
    updater, batches = start(name, game), toy_batches()
    before = {(player, n): p.detach().clone() for player in Player for n, p in game.networks[player].named_parameters()}
    for i in range(4):
        metrics = updater.step(batches, 8 * i)
        assert {f"{player}/{figure}" for player in Player for figure in ("loss", "gradient_norm")} <= set(metrics)
        assert all(value.isfinite() for value in metrics.values())
    for (player, n), old in before.items():
        assert not torch.equal(game.networks[player].get_parameter(n), old), f"{player}.{n} never moved"


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_play_goes_on_to_the_bit(name: str) -> None:
    game = GAMES[name](0)
    updater, batches = start(name, game), toy_batches()
    for i in range(3):
        updater.step(batches, 8 * i)
    saved = copy.deepcopy((game.state_dict(), updater.state_dict()))
    for i in range(3, 6):
        updater.step(batches, 8 * i)

    again = GAMES[name](7)
    assert not torch.equal(next(again.networks[G].parameters()), next(game.networks[G].parameters()))
    restored, replay = start(name, again), toy_batches()
    for player in [D, G] * 3 if name != "consensus" else [D] * 3:
        replay(player)
    again.load_state_dict(saved[0])
    restored.load_state_dict(saved[1])
    torch.rand(3)  # global random numbers are elsewhere in a new process
    for i in range(3, 6):
        restored.step(replay, 8 * i)
    ours, theirs = again.state_dict(), game.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("player", Player)
@pytest.mark.parametrize("name", NAMES)
def test_an_objective_is_repeatable_and_changes_nothing(name: str, player: Player) -> None:
    game, batch = GAMES[name](0), toy_batches()(D)
    start(name, game).step(toy_batches(), 0)
    before = copy.deepcopy(game.state_dict())
    first = game.objective(player, batch, 0, through=tuple(Player)).total
    torch.rand(3)
    second = game.objective(player, batch, 0, through=tuple(Player)).total
    assert torch.equal(first, second)
    assert first.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in game.state_dict().items())


# auxiliary classifier


@pytest.mark.parametrize(("on_fake", "terms"), [(True, 2), (False, 1)])
def test_auxiliary_classifier_adds_the_cross_entropy_of_a_guess(on_fake: bool, terms: int) -> None:
    """With weights of zero every class is equally likely: each cross-entropy is ln K."""
    head = load("auxiliary_classifier").AuxiliaryClassifier(weight=2.0, on_fake=on_fake)
    game, batch = toy_game(discriminator=toy_discriminator(conditioning=head)), toy_batches()(D)
    for parameter in game.networks[D].head.parameters():
        torch.nn.init.zeros_(parameter)
    d, g = (game.objective(player, batch, 0, through=(player,)) for player in (D, G))
    assert d.metrics["discriminator/term"].item() == pytest.approx(2 * terms * math.log(4))
    assert g.metrics["generator/term"].item() == pytest.approx(2 * math.log(4))
    assert d.total.item() == pytest.approx(2 * math.log(2) + 2 * terms * math.log(4))


def test_auxiliary_classifier_learns_the_classes() -> None:
    game = GAMES["auxiliary_classifier"](0)
    updater = Alternating(generator=Adam(rate=1e-3), discriminator=Adam(rate=1e-2)).start(game)
    batches = toy_batches(size=32)
    history = [updater.step(batches, 0)["discriminator/term"].item() for _ in range(60)]
    assert history[-1] < 0.7 * history[0]


def test_auxiliary_classifier_says_where_it_cannot_stand() -> None:
    with pytest.raises(Misfit, match="labelled"):
        toy_game(
            discriminator=toy_discriminator(conditioning=load("auxiliary_classifier").AuxiliaryClassifier()),
            image=ImageSpec(1, 8, 0),
        )


# LeCam


class ReadsReal(Logistic):
    """Shows real images to the generator too, whose turns LeCam must not count."""

    generator_reads_real = True


def anchors(game: Game) -> tuple[float, float]:
    state = game.state_dict()
    return state["penalties.proof.real"].item(), state["penalties.proof.fake"].item()


@pytest.mark.parametrize(("every", "microbatch"), [(1, None), (3, None), (1, 3)])
def test_lecam_remembers_running_means_of_every_turn(every: int, microbatch: int | None) -> None:
    penalty = load("lecam").LeCam(decay=0.8)
    game, batches = with_term(penalty, every=every, microbatch=microbatch, loss=ReadsReal()), toy_batches()
    real = fake = 0.0
    for i in range(4):
        metrics = game.backward(D, batches(D), 8 * i)
        assert ("discriminator/proof" in metrics) == (i % every == 0)
        real = 0.8 * real + 0.2 * metrics["discriminator/real"].item()
        fake = 0.8 * fake + 0.2 * metrics["discriminator/fake"].item()
        assert anchors(game) == pytest.approx((real, fake), abs=1e-6)
    game.backward(G, batches(G), 40)
    assert anchors(game) == pytest.approx((real, fake), abs=1e-6)


def test_lecam_is_the_distance_to_the_other_side() -> None:
    game, batch = with_term(load("lecam").LeCam()), toy_batches()(D)
    game.load_state_dict(
        game.state_dict() | {"penalties.proof.real": torch.tensor(0.5), "penalties.proof.fake": torch.tensor(-2.0)}
    )
    discriminator, generator = game.networks[D], game.networks[G]
    real = discriminator(batch.image, batch.label).logits
    fake = discriminator(generator(batch.latent, batch.fake_label), batch.fake_label).logits
    expected = ((real + 2) ** 2).mean() + ((fake - 0.5) ** 2).mean()
    assert game.objective(D, batch, 0, (D,)).metrics["discriminator/proof"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert "generator/proof" not in game.objective(G, batch, 0, (G,)).metrics


# ADA


@pytest.mark.parametrize(("bias", "expected"), [(100.0, [8 / 64, 16 / 64, 24 / 64]), (-100.0, [0.0, 0.0, 0.0])])
def test_ada_follows_the_sign_of_real_logits(bias: float, expected: list[float]) -> None:
    game, batches = GAMES["ada"](0), toy_batches()
    torch.nn.init.constant_(game.networks[D].head.linear.bias, bias)
    seen = []
    for i in range(3):
        game.backward(D, batches(D), 8 * i)
        game.backward(G, batches(G), 8 * i)
        seen.append(game.state_dict()["augment.probability"].item())
    assert seen == pytest.approx(expected)


def test_ada_changes_what_both_players_see_and_more_so_with_its_probability() -> None:
    game, batch = GAMES["ada"](0), toy_batches()(D)
    plain = toy_game()
    assert game.augment is not None
    for player in Player:
        assert torch.equal(
            game.objective(player, batch, 0, (player,)).total, plain.objective(player, batch, 0, (player,)).total
        )
    rng = torch.Generator().manual_seed(0)
    image = torch.randn(400, 1, 8, 8, generator=rng)
    game.load_state_dict(game.state_dict() | {"augment.probability": torch.tensor(0.3)})
    one, two = (game.augment(image, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, two)
    changed = (game.augment(image, rng) != image).flatten(1).any(dim=1).float().mean().item()
    assert changed == pytest.approx(1 - 0.7**3, abs=0.08)
    for player in Player:
        assert not torch.equal(
            game.objective(player, batch, 0, (player,)).total, plain.objective(player, batch, 0, (player,)).total
        )


def test_ada_lets_gradients_reach_the_generator() -> None:
    game = GAMES["ada"](0)
    game.load_state_dict(game.state_dict() | {"augment.probability": torch.tensor(1.0)})
    game.backward(G, toy_batches()(G), 0)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in game.networks[G].parameters())


# consistency


def test_consistency_is_zero_where_the_changes_are_none() -> None:
    game, batch = with_term(load("consistency").Consistency()), toy_batches()(D)
    flat = Batch(torch.full_like(batch.image, 0.3), batch.label, batch.latent, batch.fake_label, batch.seed)
    assert game.objective(D, flat, 0, (D,)).metrics["discriminator/proof"].item() == pytest.approx(0, abs=1e-12)
    assert game.objective(D, batch, 0, (D,)).metrics["discriminator/proof"].item() > 1e-7
    assert "generator/proof" not in game.objective(G, batch, 0, (G,)).metrics


def test_consistency_is_the_squared_difference_of_two_scores() -> None:
    component = load("consistency").Consistency(shift=2)
    game, batch = with_term(component), toy_batches()(D)
    shown: list[torch.Tensor] = []
    changed = game.terms[0].module.changed
    game.terms[0].module.changed = lambda image, rng: shown.append(changed(image, rng)) or shown[-1]  # type: ignore[func-returns-value, assignment]
    objective = game.objective(D, batch, 0, (D,))
    discriminator = game.networks[D]
    expected = (discriminator(batch.image, None).logits - discriminator(shown[0], None).logits).square().mean()
    assert objective.metrics["discriminator/proof"].item() == pytest.approx(expected.item(), rel=1e-4)


# consensus optimization


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_consensus_moves_as_in_closed_form_on_the_bilinear_game(gamma: float) -> None:
    """ξ = (y, −x), so ∇ ½‖ξ‖² = (x, y)."""
    x, y, rate = 0.7, -1.3, 0.1
    game = BilinearGame(torch.tensor([x], dtype=torch.float64), torch.tensor([y], dtype=torch.float64))
    updater = load("consensus").Consensus(generator=SGD(rate=rate), discriminator=SGD(rate=rate), consensus=gamma).start(game)
    batch = toy_batches()(D)
    for _ in range(3):
        updater.step(lambda player: batch, 0)
        x, y = x - rate * (y + gamma * x), y - rate * (-x + gamma * y)
        assert (game.point(G).item(), game.point(D).item()) == pytest.approx((x, y), rel=1e-12)


def test_consensus_converges_where_simultaneous_descent_diverges() -> None:
    radius = {}
    rates: dict[str, Any] = {"generator": SGD(rate=0.1), "discriminator": SGD(rate=0.1)}
    for name, rule in {
        "simultaneous": Simultaneous(**rates),
        "consensus": load("consensus").Consensus(**rates, consensus=1.0),
    }.items():
        game, batch = BilinearGame(), toy_batches()(D)
        updater = rule.start(game)
        for _ in range(50):
            updater.step(lambda player, batch=batch: batch, 0)
        radius[name] = torch.hypot(game.point(G), game.point(D)).item()
    assert radius["consensus"] < 0.05 < 2**0.5 < radius["simultaneous"]


def test_consensus_without_weight_is_simultaneous_descent_on_a_real_game() -> None:
    rates: dict[str, Any] = {"generator": SGD(rate=0.05), "discriminator": SGD(rate=0.05)}
    ours, plain = toy_game(), toy_game()
    load("consensus").Consensus(**rates, consensus=0.0).start(ours).step(toy_batches(), 0)
    Simultaneous(**rates).start(plain).step(toy_batches(), 0)
    theirs = plain.state_dict()
    assert all(torch.allclose(value, theirs[key], rtol=1e-6, atol=1e-8) for key, value in ours.state_dict().items())


def test_consensus_descends_on_the_joint_gradient_of_a_real_game() -> None:
    """Along −∇E the energy E falls by ‖∇E‖² to first order."""
    game, batch = toy_game(), toy_batches()(D)
    updater = load("consensus").Consensus(generator=SGD(rate=0.0), discriminator=SGD(rate=0.0), consensus=1.0).start(game)
    energy, pull = updater.energy(batch, 0)
    slope = sum(gradient.square().sum() for gradient in pull.values()).item()
    step = 1e-2 * energy.item() / slope
    with torch.no_grad():
        for parameter, gradient in pull.items():
            parameter -= step * gradient
    assert (energy - updater.energy(batch, 0)[0]).item() == pytest.approx(step * slope, rel=0.1)


# a block that draws where it likes


def build_noisy(path: str = "block", seed: int = 0) -> torch.nn.Module:
    return Site(channels=8, path=path, seed=seed, condition=Classes(4)).build(load("noisy_attention").NoisyAttention())


def values(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten() for value in module.state_dict().values()])


def test_a_block_that_draws_at_build_depends_on_seed_and_path_only() -> None:
    state = torch.get_rng_state()
    first = values(build_noisy())
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(values(build_noisy()), first)
    assert not torch.equal(values(build_noisy(path="other")), first)
    assert not torch.equal(values(build_noisy(seed=1)), first)


def test_a_block_that_draws_leaves_the_other_initial_values_alone() -> None:
    plain, noisy = toy_game().state_dict(), noisy_game().state_dict()
    assert plain.keys() < noisy.keys()
    assert all(torch.equal(noisy[key], value) for key, value in plain.items())


def test_a_block_that_draws_in_forward_draws_anew_for_each_batch() -> None:
    game, batch = noisy_game(), toy_batches()(D)
    other = Batch(batch.image, batch.label, batch.latent, batch.fake_label, batch.seed + 1)
    state = torch.get_rng_state()
    one, two = (game.objective(D, each, 0, (D,)).total for each in (batch, other))
    assert not torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_block_that_draws_builds_on_the_meta_device() -> None:
    with torch.device("meta"):
        assert all(value.is_meta for value in build_noisy().state_dict().values())
