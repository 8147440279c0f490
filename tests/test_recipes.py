"""Every recipe in recipes/ can be built, and trains: no parameter of either player is out of reach of its objective."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ganblocks import Player, Recipe, Registry, discover, read_recipe
from ganblocks.assembly import Session, assemble, check
from ganblocks.options.fields import options_of
from ganblocks.schedules import spanning
from tests.cli.commands import ROOT

STEPS, BATCH = 3, 4
SMALL = {"training.images": STEPS * BATCH, "training.batch": BATCH, "training.microbatch": BATCH, "training.precision": "fp32"}
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover()


def small(path: Path, registry: Registry) -> Recipe:
    """The recipe as it is, for a few steps on small batches; skips one whose images are not in the package."""
    recipe = read_recipe(path, SMALL, registry=registry)
    if "path" in options_of(type(recipe.data.dataset)):
        pytest.skip("reads images that are not in the package")
    return recipe


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_and_each_of_its_ablations_can_be_built(path: Path, registry: Registry) -> None:
    """Also where the images are not at hand: on the meta device, with every component's own checks."""
    for ablation in (None, *read_recipe(path, registry=registry).ablation):
        recipe = read_recipe(path, ablation=ablation, registry=registry)
        check(spanning(recipe, recipe.training.images), registry)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_parameter_learns_within_three_steps(path: Path, registry: Registry) -> None:
    """Three, because a gate that starts at 0 keeps what is behind it silent until it has moved."""
    session = assemble(small(path, registry), registry)
    networks = session.game.networks
    silent = {f"{player}.{name}" for player, network in networks.items() for name, _ in network.named_parameters()}
    for step in range(STEPS):
        session.updater.step(session.batches, step * BATCH)
        for player, network in networks.items():
            silent -= reached(player, network)
    assert silent <= silent_by_nature(session), f"no gradient has reached {sorted(silent)}"


def reached(player: Player, network: nn.Module) -> set[str]:
    """Names of the parameters whose latest gradient is not zero; all of them must be finite."""
    gradients = {f"{player}.{name}": parameter.grad for name, parameter in network.named_parameters()}
    for name, gradient in gradients.items():
        assert gradient is None or gradient.isfinite().all(), name
    return {name for name, gradient in gradients.items() if gradient is not None and gradient.any()}


def silent_by_nature(session: Session) -> set[str]:
    """A loss that sees only differences of logits leaves the last bias of the discriminator alone."""
    loss, (real, fake) = session.recipe.loss, torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    before, after = (loss.for_discriminator(real + shift, fake + shift) for shift in (0.0, 1.0))
    if not torch.allclose(before, after):
        return set()
    names = (name for name, _ in session.game.networks[Player.DISCRIMINATOR].named_parameters())
    return {f"discriminator.{name}" for name in names if name.startswith("head.") and name.endswith("bias")}
