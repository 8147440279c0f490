"""A stranger's block that draws random numbers, at build and in forward: the one thing that no block of ours does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch

from ganblocks import Batch, Classes, Player, Site
from ganblocks.game import TwoPlayerGame
from ganblocks.testing.toys import LinearHead, ToyDiscriminator, ToyGenerator, toy_batches, toy_game

STRANGER = Path(__file__).parent / "fixtures" / "noisy_attention.py"
D = Player.DISCRIMINATOR


def noisy() -> Any:
    """The stranger's block, imported as a module of its own."""
    if STRANGER.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(STRANGER.stem, STRANGER)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[STRANGER.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[STRANGER.stem])
    return sys.modules[STRANGER.stem].NoisyAttention()


def noisy_game() -> TwoPlayerGame:
    return toy_game(ToyGenerator(attention=noisy()), ToyDiscriminator(attention=noisy(), conditioning=LinearHead()))


def build_noisy(path: str = "block", seed: int = 0) -> torch.nn.Module:
    return Site(channels=8, path=path, seed=seed, condition=Classes(4)).build(noisy())


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
