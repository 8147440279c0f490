"""Start a run, and open a finished one."""

from __future__ import annotations

from pathlib import Path

import torch

from ganblocks.assembly import Session, assemble, build_generator
from ganblocks.errors import CheckpointError, UsageError
from ganblocks.plugins import discover
from ganblocks.recipe import Recipe, read_recipe, write_recipe
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import latest, load_tensors
from ganblocks.training.loop import Watch, train
from ganblocks.training.provenance import provenance
from ganblocks.training.run_folder import RunFolder
from ganblocks.training.sampler import Sampler
from ganblocks.training.stopping import Stop, stop_on_signals


def run(
    recipe: Recipe,
    out: str | Path,
    device: str = "auto",
    seed: int = 0,
    registry: Registry | None = None,
    watch: Watch = lambda record: None,
) -> Stop:
    """Train a recipe into the folder ``out``; what ``ganblocks run`` does.

    Args:
        recipe: from :func:`ganblocks.read_recipe`, or built in Python.
        out: the run folder; it must be empty or absent.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where there is one.
        seed: of initial values, data order, latents and augmentation.
        registry: where the recipe's components came from; by default :func:`ganblocks.discover`.
        watch: called with the record of every step.

    Returns:
        Whether a signal asked the run to stop early (false: it ran to its end). The folder is usable either way.

    Raises:
        RecipeError: the recipe cannot be assembled.
        DataError: the data is missing or not what the recipe says.
        Diverged: a loss or gradient was not finite.

    """
    registry = registry or discover()
    session = assemble(recipe, registry, device=pick_device(device), seed=seed)
    folder = RunFolder(Path(out))
    try:
        folder.write(write_recipe(recipe, registry), provenance(session, registry))
        with stop_on_signals() as stop:
            train(session, folder, stop, watch)
    finally:
        folder.close()
    return stop


def recipe_of(path: Path, registry: Registry) -> Recipe:
    """The resolved recipe of a run. Raises CheckpointError where the folder is none."""
    if not (path / "recipe.toml").is_file():
        raise CheckpointError(f"{path}: no recipe.toml here; is this a run folder?")
    return read_recipe(path / "recipe.toml", registry=registry)


def load(path: str | Path, device: str = "cpu", registry: Registry | None = None) -> Sampler:
    """The averaged generator of a run, in evaluation mode, to sample from; needs nothing but the run folder.

    Raises:
        CheckpointError: the folder is no run, has no checkpoint yet, or its weights do not fit its recipe.

    """
    path = Path(path)
    recipe = recipe_of(path, registry or discover())
    image = recipe.data.dataset.describe()
    network = build_generator(recipe, image, seed=0)
    checkpoint = latest(path)
    try:
        network.load_state_dict(load_tensors(checkpoint, "average"))
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint}: these weights do not fit the generator of recipe.toml: {error}") from error
    return Sampler(network.to(pick_device(device)), recipe.generator.latent, image)


def pick_device(name: str) -> torch.device:
    """The device that a user names; ``auto`` is CUDA where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no device {name!r}: auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available here; use --device cpu, or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


__all__ = ["Session", "load", "pick_device", "recipe_of", "run"]
