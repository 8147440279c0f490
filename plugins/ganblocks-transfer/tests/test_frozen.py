"""Frozen parts keep their weights to the bit, whatever plays with them; all else learns as ever."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ganblocks_penalties.r1 import R1
from ganblocks_resnet.discriminator import ResnetDiscriminator
from ganblocks_transfer.frozen import Frozen
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.optimizers import SGD, AdamW
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganblocks import ImageSpec, PlacementError, Player, Site, discover
from ganblocks.game import Term, TwoPlayerGame
from ganblocks.testing import examples
from ganblocks.testing.toys import TOY_IMAGE, ToyDiscriminator, toy_batches, toy_game

G, D = Player.GENERATOR, Player.DISCRIMINATOR
RESNET: ResnetDiscriminator = discover().create("discriminator", "resnet", width=8, weight_norm="spectral", conditioning="none")
NAMES = [name for name, _ in RESNET.build(TOY_IMAGE, Site(1, 8)).named_children()]


def site(image: ImageSpec = TOY_IMAGE, seed: int = 0) -> Site:
    return Site(image.channels, image.size, image.channels, D, "discriminator", seed=seed)


def build(seed: int = 0, **options: Any) -> nn.Module:
    return Frozen(network=RESNET, **options).build(TOY_IMAGE, site(seed=seed))


def frozen_names(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if not parameter.requires_grad}


def under(network: nn.Module, *parts: str) -> set[str]:
    return {name for name, _ in network.named_parameters() if name.startswith(tuple(f"{part}." for part in parts))}


def play(game: TwoPlayerGame, optimizer: Any, steps: int = 3) -> None:
    updater, batches = Alternating(generator=optimizer, discriminator=optimizer).start(game), toy_batches()
    for step in range(steps):
        updater.step(batches, 8 * step)


@examples(10)
@given(st.integers(0, 2**16), st.integers(1, len(NAMES) - 1))
def test_it_is_the_network_itself_with_the_first_blocks_frozen(seed: int, blocks: int) -> None:
    bare, partial = RESNET.build(TOY_IMAGE, site(seed=seed)), build(seed, blocks=blocks)
    assert type(partial) is type(bare)
    ours, theirs = partial.state_dict(), bare.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert frozen_names(partial) == under(partial, *NAMES[:blocks])


def test_parts_are_frozen_by_name() -> None:
    network = build(blocks=0, names=("block2.conv1", "head"))
    assert frozen_names(network) == under(network, "block2.conv1", "head") != set()
    network = build(blocks=1, names=("head",))
    assert frozen_names(network) == under(network, "block1", "head")


@pytest.mark.parametrize("optimizer", [AdamW(rate=1e-2, weight_decay=0.5), SGD(rate=1e-2, momentum=0.9, weight_decay=0.1)])
@pytest.mark.parametrize("microbatch", [None, 3])
def test_training_moves_all_but_the_frozen_parts(optimizer: Any, microbatch: int | None) -> None:
    game = toy_game(
        discriminator=Frozen(network=RESNET, blocks=2), terms=[Term("r1", R1(), R1().build())], microbatch=microbatch
    )
    network = game.networks[D]
    kept = frozen_names(network)
    before = {(player, n): p.detach().clone() for player in Player for n, p in game.networks[player].named_parameters()}
    play(game, optimizer)
    assert frozen_names(network) == kept != set()
    for (player, name), old in before.items():
        stayed = torch.equal(game.networks[player].get_parameter(name), old)
        assert stayed == (player is D and name in kept), name


def test_the_generator_feels_the_same_as_without_freezing() -> None:
    batch, gradients = toy_batches()(G), []
    for discriminator in (RESNET, Frozen(network=RESNET, blocks=2)):
        game = toy_game(discriminator=discriminator)
        game.backward(G, batch, 0)
        gradients.append([parameter.grad for parameter in game.networks[G].parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*gradients, strict=True))


def test_the_optimizer_is_saved_and_loaded_without_the_frozen_parts() -> None:
    rule = Alternating(generator=AdamW(), discriminator=AdamW())
    game = toy_game(discriminator=Frozen(network=RESNET))
    updater, batches = rule.start(game), toy_batches()
    updater.step(batches, 0)
    state = updater.state_dict()
    assert set(state["discriminator"]["parameters"]) == {n for n, p in game.networks[D].named_parameters() if p.requires_grad}
    again = rule.start(toy_game(discriminator=Frozen(network=RESNET)))
    again.load_state_dict(state)
    again.step(batches, 8)


def test_blocks_are_the_parts_that_have_parameters() -> None:
    toy = discover().create("attention", "none"), discover().create("conditioning", "none")
    network = Frozen(network=ToyDiscriminator(attention=toy[0], conditioning=toy[1]), blocks=2).build(TOY_IMAGE, site())
    assert frozen_names(network) == under(network, "first", "second")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 9}, "the network has .*block1"),
        ({"blocks": len(NAMES)}, "nothing is left to learn"),
        ({"names": ("block7",)}, "no part of the network is called 'block7'; name one of its blocks .block1"),
    ],
)
def test_what_cannot_be_frozen_is_refused_with_what_could(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PlacementError, match=message):
        build(**options)


def test_bad_options_are_refused() -> None:
    for options in ({"blocks": 0}, {"blocks": -1}, {"blocks": "two"}, {"names": "block1"}, {"names": (1,)}):
        with pytest.raises((ValueError, TypeError)):
            Frozen(network=RESNET, **options)
