"""Every recipe in recipes/ can be built, and trains: no parameter of either player is out of reach of its objective."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganblocks import Player, Recipe, Registry, discover, read_recipe, run
from ganblocks.assembly import Session, assemble, check
from ganblocks.options.fields import options_of
from ganblocks.schedules import spanning
from ganblocks.training import batch_statistics
from ganblocks.training.checkpoint import latest
from ganblocks.training.launch import resume
from tests.cli.commands import ROOT

STEPS, BATCH = 3, 4
SMALL = {"training.images": STEPS * BATCH, "training.batch": BATCH, "training.microbatch": BATCH, "training.precision": "fp32"}
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover()


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Statistics of the average from 64 samples: networks are as wide as they are, and nobody looks at the pictures."""
    monkeypatch.setattr(batch_statistics, "SAMPLES", 64)


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


class Crash(Exception):
    """Ends a run between two checkpoints."""


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_goes_on_bit_for_bit_after_a_crash(path: Path, registry: Registry, tmp_path: Path) -> None:
    """Four steps, a checkpoint after the second, a crash after the third."""
    session = assemble(small(path, registry), registry)
    session.updater.step(session.batches, 0)
    per_step = session.batches.images_seen
    cadences = {"training.checkpoint_every": 2 * per_step, "training.samples_every": 100 * per_step}
    recipe = read_recipe(path, SMALL | cadences | {"training.images": 4 * per_step}, registry=registry)

    def crash(record: dict[str, Any]) -> None:
        if record["step"] == 3:
            raise Crash

    run(recipe, tmp_path / "whole", "cpu")
    with pytest.raises(Crash):
        run(recipe, tmp_path / "crashed", "cpu", watch=crash)
    resume(tmp_path / "crashed")
    ends = [latest(tmp_path / name) for name in ("whole", "crashed")]
    assert [end.name for end in ends] == [f"images-{4 * per_step:010d}"] * 2
    for file in ends[0].glob("*.safetensors"):
        assert file.read_bytes() == (ends[1] / file.name).read_bytes(), file.name


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
