"""What is timed: one iteration of ganblocks, and one of torch-mimicry on networks of the same size."""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Callable
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.assembly import Session, assemble, build_game
from ganblocks.plugins import discover
from ganblocks.recipe import Recipe, read_recipe
from ganblocks.registry import Registry
from ganblocks.values import Batch, ImageSpec, Player

RECIPES = Path(__file__).parent / "recipes"
MAIN_RECIPE = Path(__file__).parents[1] / "recipes" / "sagan.toml"
PEER_VERSION = "0.1.16"
INSTALL = f"pip install --no-deps --target FOLDER torch-mimicry=={PEER_VERSION}, then GANBLOCKS_PEERS=FOLDER"
TOY_WIDTH = 8
"""The least width at 32 pixels: mimicry's attention has an eighth of the channels."""
LEARNING_RATE, BETAS = 2e-4, (0.0, 0.9)
"""Of both players, in the recipes and in mimicry's."""


class PeerMissing(Exception):
    """A peer is not installed."""


@frozen
class Workload:
    """A recipe of ``benchmarks/recipes`` and mimicry's networks of the same size."""

    name: str
    size: int
    per_width: int
    """mimicry's ngf and ndf over the recipe's widths."""
    toy_width: int
    """Of both networks at toy size."""
    seconds: float
    """Of one round of an ``iteration``, about: it decides how many rounds there are."""

    def recipe(self, precision: str, toy: bool) -> Recipe:
        """Read the recipe."""
        changes = {"training.precision": precision, **(toy_changes(self.toy_width) if toy else {})}
        return read_recipe(RECIPES / f"{self.name.lower()}.toml", changes, registry=registry())


WORKLOADS = {
    work.name: work
    for work in (
        Workload("S32", 32, 1, TOY_WIDTH, 2.5),
        Workload("N32", 32, 1, TOY_WIDTH, 14.0),
        Workload("L128", 128, 16, TOY_WIDTH // 2, 5.0),
    )
}
EQUAL = Workload("quality", 32, 1, TOY_WIDTH, 0.5)
"""Of the benchmarks ``quality`` and ``sample``: with real images."""


def toy_changes(width: int) -> dict[str, Any]:
    """Return what makes a recipe tiny."""
    return {"generator.width": width, "discriminator.width": width, "training.batch": 2}


@cache
def registry() -> Registry:
    """Return the installed components."""
    return discover()


class Iteration:
    """One iteration of a recipe on random batches that are drawn beforehand.

    Args:
        recipe: from this folder: its images are never read.
    """

    def __init__(self, recipe: Recipe) -> None:
        image = recipe.data.dataset.describe()
        self.game = build_game(recipe, image, seed=0)
        self._updater = recipe.update.start(self.game)
        self._batches = {player: random_batch(recipe, image, player) for player in Player}

    def __call__(self) -> None:
        """Run both players' turns, optimizers included."""
        self._updater.step(self._batches.__getitem__, 0)

    @property
    def parameters(self) -> tuple[int, int]:
        """How many parameters the generator and the discriminator have."""
        networks = self.game.networks
        return count(networks[Player.GENERATOR]), count(networks[Player.DISCRIMINATOR])


def random_batch(recipe: Recipe, image: ImageSpec, player: Player) -> Batch:
    """Return a batch of noise in the recipe's shapes: images [B, C, H, W] channels last, latents [B, Z], labels [B]."""
    rng = torch.Generator().manual_seed(list(Player).index(player))
    n = recipe.training.batch
    assert isinstance(image.size, int), "the recipes of this folder have square images; earlier commits know no others"
    pixels = torch.rand(n, image.channels, image.size, image.size, generator=rng)
    images = pixels.mul_(2).sub_(1).contiguous(memory_format=torch.channels_last)
    label, fake_label = torch.randint(image.classes, (2, n), generator=rng)
    return Batch(images, label, torch.randn(n, recipe.generator.latent, generator=rng), fake_label, seed=1)


class Peer:
    """One iteration of torch-mimicry's SAGAN: its own networks, losses and train steps, and Adam as its examples make it.

    Args:
        work: which of its networks.
        recipe: how wide they are.
        rates: of the generator and the discriminator.

    Raise PeerMissing if it is not installed.
    """

    def __init__(self, work: Workload, recipe: Recipe, rates: tuple[float, float] = (LEARNING_RATE, LEARNING_RATE)) -> None:
        sagan, log = mimicry(f"nets.sagan.sagan_{work.size}"), mimicry("training.metric_log")
        image, options = recipe.data.dataset.describe(), (recipe.generator, recipe.discriminator.network)
        ngf, ndf = (work.per_width * component.width for component in options)  # type: ignore[attr-defined]
        self.generator: Any = getattr(sagan, f"SAGANGenerator{work.size}")(num_classes=image.classes, ngf=ngf)
        self.discriminator: Any = getattr(sagan, f"SAGANDiscriminator{work.size}")(num_classes=image.classes, ndf=ndf)
        networks = (self.generator, self.discriminator)
        self._log, self._optimizers = log.MetricLog(), [_adam(*pair) for pair in zip(networks, rates, strict=True)]
        batch = random_batch(recipe, image, Player.DISCRIMINATOR)
        self._real = (batch.image.contiguous(), batch.label)

    def __call__(self) -> None:
        """Run both players' turns on the same random images."""
        self.step(*self._real)

    def step(self, image: Tensor, label: Tensor | None) -> None:
        """Run both players' turns on real images [B, C, H, W] and labels [B], as mimicry's trainer does with n_dis = 1."""
        (g, d), real = self._optimizers, (image, label)
        self.discriminator.train_step(real_batch=real, netG=self.generator, optD=d, log_data=self._log)
        self.generator.train_step(real_batch=real, netD=self.discriminator, optG=g, log_data=self._log)

    @property
    def parameters(self) -> tuple[int, int]:
        """How many parameters the generator and the discriminator have."""
        return count(self.generator), count(self.discriminator)


def _adam(network: nn.Module, rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), rate, BETAS)


def count(network: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def mimicry(name: str) -> Any:
    """Import a module of torch-mimicry without its top-level imports, which fail on a current torch. Raise PeerMissing."""
    folder = peers()
    for package in ("torch_mimicry", "torch_mimicry.training"):
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = [str(folder / package.replace(".", "/"))]
    return importlib.import_module(f"torch_mimicry.{name}")


def mimicry_version() -> dict[str, str]:
    """Return torch-mimicry's version by its name; nothing if it is not installed."""
    try:
        versions = [part.version for part in distributions(path=[str(peers())]) if part.name == "torch_mimicry"]
    except PeerMissing:
        versions = []
    return {"torch-mimicry": versions[0]} if versions else {}


def peers() -> Path:
    """Return the folder of the peers, from GANBLOCKS_PEERS. Raise PeerMissing if it is not set, or torch-mimicry not there."""
    folder = os.environ.get("GANBLOCKS_PEERS", "")
    if not folder:
        raise PeerMissing(f"GANBLOCKS_PEERS is not set: {INSTALL}")
    if not (Path(folder) / "torch_mimicry").is_dir():
        raise PeerMissing(f"torch-mimicry is not installed in GANBLOCKS_PEERS: {INSTALL}")
    return Path(folder)


def main_session(precision: str, toy: bool) -> Session:
    """Return recipes/sagan.toml, assembled."""
    changes = {"training.precision": precision, **(toy_changes(TOY_WIDTH) if toy else {})}
    return assemble(read_recipe(MAIN_RECIPE, changes, registry=registry()), registry())


def session_iteration(session: Session) -> Callable[[], object]:
    """Return one iteration of a session, with its data."""
    return lambda: session.updater.step(session.batches, session.batches.images_seen)
