"""A run folder from weights trained with another framework: to sample from, to score, to start from."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import torch
from attrs import frozen
from safetensors.torch import load_file
from torch import Tensor, nn

from ganblocks.assembly import build_game, check
from ganblocks.errors import CheckpointError, UsageError
from ganblocks.game import TwoPlayerGame, named_capable
from ganblocks.kinds.component_capabilities import ReadsForeign
from ganblocks.kinds.module_capabilities import HasEstimates, SingularValue
from ganblocks.recipe import Recipe, rooted, without_loggers, write_recipe
from ganblocks.registry import Registry, named
from ganblocks.training.checkpoint import Checkpoint, save_checkpoint
from ganblocks.training.classes import classes_at_hand, listed, names_of, plain
from ganblocks.training.provenance import provenance_of, recorded
from ganblocks.training.run_folder import RunFolder
from ganblocks.values import Player

INSIDE = ("model_state_dict", "state_dict")
"""Keys under which frameworks store a network's state beside other entries."""
ITERATIONS = 100
"""Power iterations; enough for σ from almost any start."""
NUMPY = (
    "dtype",
    "ndarray",
    *(f"{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
"""numpy's names in files that hold one of its numbers or arrays, such as a best score, beside the weights."""
STRIP = """where it was written, save the state alone, torch.save(network.state_dict(), "weights.pth"), and import that"""


@frozen
class Settled:
    """How much the estimates of spectral norms changed when they were settled."""

    layers: int
    moved: float
    """The largest relative change of a σ."""
    path: str
    """Of that layer, in the network."""


class Skipped:
    """A placeholder for numpy numbers and arrays, which are never built."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def import_weights(
    recipe: Recipe, registry: Registry, layout: str, files: Mapping[Player, Path], out: Path
) -> dict[Player, Settled]:
    """Write a run folder whose networks have the weights of ``files``; a player without a file keeps its initial values.

    The files are read as tensors only, never unpickled. Returns how much settling changed the spectral norms: files may hold
    vectors that do not belong to their weights. Use the folder with ``ganblocks sample``, ``evaluate`` or ``run --init-from``.

    Raises:
        UsageError: the recipe's component does not know the layout.
        PlacementError: the recipe's component would compute another function with these weights.
        CheckpointError: a file holds no tensors by name, or those of another network.

    """
    recipe = rooted(without_loggers(recipe))
    facts = check(recipe, registry)
    game = build_game(recipe, facts.image, seed=0)
    components = {Player.GENERATOR: recipe.generator, Player.DISCRIMINATOR: recipe.discriminator.network}
    settled = {}
    for player, path in files.items():
        load_foreign(components[player], game.networks[player], layout, path)
        settled[player] = settle(game.networks[player])
    classes = classes_at_hand(recipe.data.dataset)
    origin = {"layout": layout, **{str(player): _sha256(path) for player, path in files.items()}}
    made = provenance_of(facts, game.device, 0, "", registry) | {"classes": plain(classes), "imported": origin}
    with closing(RunFolder(out)) as folder:
        folder.write(write_recipe(recipe, registry), made | {"recipe": recorded(recipe, registry)})
        save_checkpoint(folder.checkpoints, _checkpoint_at_0(recipe, game, folder))
    if facts.image.classes:
        numbered = listed(attrs.evolve(facts.image, class_names=names_of(classes)))
        warnings.warn(f"the files do not name their classes, which are taken by number: {numbered}", stacklevel=2)
    return settled


def _checkpoint_at_0(recipe: Recipe, game: TwoPlayerGame, folder: RunFolder) -> Checkpoint:
    """Return the checkpoint of networks that were never trained here; the average is the generator itself."""
    return Checkpoint(
        images_seen=0,
        step=0,
        drawn={str(player): 0 for player in Player},
        game=game.state_dict(),
        average=game.networks[Player.GENERATOR].state_dict(),
        updater=recipe.update.start(game).state_dict(),
        metadata=folder.metadata(),
    )


@torch.no_grad()
def settle(network: nn.Module) -> Settled:
    """Let the estimates of a network converge for its current weights."""
    moved = {"": 0.0}
    for path, module in named_capable(network, HasEstimates):
        before = module.sigma() if isinstance(module, SingularValue) else None
        module.settle(ITERATIONS)
        if before is not None:
            moved[path] = abs(float(before / module.sigma()) - 1)
    path = max(moved, key=lambda name: moved[name])
    return Settled(len(moved) - 1, moved[path], path)


def load_foreign(component: Any, network: nn.Module, layout: str, path: Path) -> None:
    """Load the weights of a file into a network that ``component`` built."""
    known = component.layouts if isinstance(component, ReadsForeign) else ()
    if layout not in known:
        rule = f"knows {' and '.join(known)}" if known else "knows no other framework's names"
        raise UsageError(f"{type(component).__name__} {rule}, not {layout!r}")
    theirs = read_tensors(path)
    try:
        network.load_state_dict(component.from_foreign(layout, network, theirs))
    except (LookupError, RuntimeError) as error:  # a missing name, or a tensor of another shape
        reason = error.args[0] if error.args else named(error)
        raise CheckpointError(f"{path}: not the network of this recipe in the layout of {layout}: {reason}") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return tensors of any shape by name, from safetensors or from torch's format; only tensors are unpickled."""
    if os.path.isfile(path) and not os.path.getsize(path):
        raise CheckpointError(f"{path}: is empty; download or copy it again")
    try:
        with torch.serialization.safe_globals([(Skipped, f"numpy.{name}") for name in NUMPY]):
            state: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # both readers raise several unrelated types
        raise CheckpointError(f"{path}: cannot be read as tensors: {_reason(error)}") from error
    for key in INSIDE:
        state = state[key] if isinstance(state, Mapping) and key in state else state
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path}: holds no tensors by name")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def _reason(error: Exception) -> str:
    """Return why a reader failed, without its advice to load code, and without terminal codes."""
    if unknown := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it also holds an object of {unknown[1]}, and only tensors and plain values are read; {STRIP}"
    plain = re.sub(r"\x1b\[[\d;]*m", "", named(error))
    return "".join(character for character in plain if character.isprintable())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
