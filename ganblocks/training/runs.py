"""Start a run, and open a finished one."""

from __future__ import annotations

import warnings
from pathlib import Path

import attrs
import torch
from torch import Tensor

from ganblocks.assembly import Session, assemble, build_generator
from ganblocks.errors import CheckpointError, GanblocksError, UnknownComponent, UsageError
from ganblocks.plugins import discover
from ganblocks.precision import computes_in_bf16, settled
from ganblocks.recipe import Recipe, read_recipe, rooted, write_recipe
from ganblocks.registry import Registry
from ganblocks.training.batch_statistics import estimate
from ganblocks.training.checkpoint import has_own_statistics, latest, load_tensors
from ganblocks.training.class_tables import of_player
from ganblocks.training.classes import count_classes, counts_of, kept, names_of, untrained
from ganblocks.training.comparing import recorded, warn_of_changes
from ganblocks.training.determinism import deterministic, rehearse
from ganblocks.training.initialising import start_from
from ganblocks.training.loop import NoScorer, Scorer, Watch, train
from ganblocks.training.memory import advising
from ganblocks.training.provenance import provenance
from ganblocks.training.reading import read_json, refuse_other_types
from ganblocks.training.run_folder import PROVENANCE, RunFolder
from ganblocks.training.sampler import Sampler
from ganblocks.training.stopping import Stop, stop_on_signals
from ganblocks.values import ClassCount, ImageSpec, Player


def run(
    recipe: Recipe,
    out: str | Path,
    device: str = "auto",
    seed: int = 0,
    registry: Registry | None = None,
    watch: Watch = lambda record: None,
    scorer: Scorer | None = None,
    init_from: str | Path | None = None,
) -> Stop:
    """Train a recipe into the folder ``out``; what ``ganblocks run`` does.

    Args:
        recipe: from :func:`ganblocks.read_recipe`, or built in Python.
        out: the run folder; it must be empty or absent.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where there is one.
        seed: of initial values, data order, latents and augmentation.
        registry: where the recipe's components came from; by default :func:`ganblocks.discover`.
        watch: called with the record of every step.
        scorer: what scores the generator whenever the recipe's ``[evaluation]`` asks for it; ``ganblocks run`` gives
            ``ganblocks.evaluation.Scoring``.
        init_from: another run, whose weights both networks start from where they fit.

    Returns:
        Whether a signal asked the run to stop early (false: it ran to its end). The folder is usable either way.

    Raises:
        RecipeError: the recipe cannot be assembled.
        DataError: the data is missing or not what the recipe says.
        Diverged: a loss or gradient was not finite.
        OutOfMemory: a step needs more memory than there is.

    """
    registry = registry or discover()
    where = pick_device(device)
    recipe = as_run(recipe, where)
    if recipe.training.precision == "bf16" and not computes_in_bf16(where):
        warnings.warn('bfloat16 is only emulated here, and many times slower: set precision = "auto" or "fp32"', stacklevel=2)
    with deterministic(recipe.training.deterministic):
        session = assemble(recipe, registry, device=where, seed=seed)
        if words := untrained(count_classes(session.image, session.batches.images)):
            warnings.warn(words, stacklevel=2)
        origin = (
            {}
            if init_from is None
            else {"init_from": start_from(session, Path(init_from), class_names_of(Path(init_from), registry))}
        )
        if recipe.training.deterministic:
            rehearse(session)
        judge = scorer or NoScorer()
        if recipe.evaluation is not None:
            judge.prepare()
        folder = RunFolder(Path(out))
        try:
            known = provenance(session, registry) | {"recipe": recorded(recipe, registry)} | origin
            folder.write(write_recipe(recipe, registry), known)
            with stop_on_signals() as stop, advising(session):
                train(session, folder, stop, watch, judge)
        finally:
            folder.close()
    return stop


def as_run(recipe: Recipe, device: torch.device) -> Recipe:
    """A recipe as a run folder keeps it: its precision is that of the device, and its paths mean the same files everywhere."""
    return rooted(settled(recipe, device))


def recipe_of(path: Path, registry: Registry) -> Recipe:
    """The resolved recipe of a run. Raises CheckpointError where the folder is none."""
    if not (path / "recipe.toml").is_file():
        hint = "one that was stopped before it had written its recipe is begun again by the same ganblocks run"
        raise CheckpointError(f"{path}: no recipe.toml here; is this a run folder? ({hint})")
    _refuse_absent(path, registry)
    return read_recipe(path / "recipe.toml", registry=registry)


def _refuse_absent(path: Path, registry: Registry) -> None:
    """Raises CheckpointError, naming the distribution to install, for a component that nobody offers here."""
    try:
        used = read_json(path / PROVENANCE)["components"].values()
        wanted = {tuple(str(each[part]) for part in ("kind", "name", "distribution", "version")) for each in used}
    except (CheckpointError, KeyError, TypeError, AttributeError):
        return  # the recipe itself will tell
    for kind, name, distribution, version in sorted(wanted, key=str):
        try:
            registry.find(kind, name)
        except UnknownComponent as error:
            rule = f"needs the {kind} {name!r} of {distribution} {version}"
            raise CheckpointError(f"{path}: {rule}, which is not here: {_how_to_add(distribution)}") from error


def _how_to_add(distribution: str) -> str:
    """What gives the components of a distribution back: a package, or the single file that ``-p`` has added."""
    if distribution.endswith(".py"):
        return f"give -p {distribution}, or where that file is now, before the command's name"
    return f"install {distribution}, or add its file with -p" if distribution else "pass the registry that offers it"


def load(path: str | Path, device: str = "cpu", registry: Registry | None = None, weights: str = "average") -> Sampler:
    """The generator of a run, in evaluation mode, to sample from; needs nothing but the run folder.

    Args:
        path: the run folder.
        device: as in :func:`run`.
        registry: where the recipe's components come from; by default :func:`ganblocks.discover`.
        weights: ``"average"``, the moving average, or ``"live"``, as they were trained.

    Raises:
        CheckpointError: the folder is no run, has no checkpoint yet, or its weights do not fit its recipe.

    """
    path = Path(path)
    registry = registry or discover()
    recipe = recipe_of(path, registry)
    warn_of_changes(path, recipe, registry)
    image = recipe.data.dataset.describe()
    classes = kept_classes(path, image)
    network = build_generator(recipe, image, seed=0)
    checkpoint = latest(path)
    found = _generator(checkpoint, weights)
    refuse_other_types(checkpoint, network.state_dict(), found)
    try:
        network.load_state_dict(found)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint}: these weights do not fit the generator of recipe.toml: {error}") from error
    image = attrs.evolve(image, class_names=names_of(classes))
    sampler = Sampler(network.to(pick_device(device)), recipe.generator.latent, image, counts_of(classes))
    if weights == "average" and not has_own_statistics(checkpoint) and estimate(sampler.network, sampler.representative()):
        warnings.warn(
            f"{path}: made by an earlier ganblocks, which saved the averaged generator with the batch-norm statistics of the"
            " live one; they are estimated anew, so samples and scores differ from those it made then",
            stacklevel=2,
        )
    return sampler


def class_names_of(run: Path, registry: Registry) -> tuple[str, ...]:
    """What another run calls its classes, also where its components are not installed."""
    try:
        image = recipe_of(run, registry).data.dataset.describe()
    except GanblocksError:
        image = None
    return names_of(kept_classes(run, image))


def kept_classes(run: Path, image: ImageSpec | None) -> tuple[ClassCount, ...]:
    """The classes that a run was trained on, from its provenance; without it, those that its data set names by itself."""
    try:
        facts = read_json(run / PROVENANCE)
    except CheckpointError:  # sampling needs the recipe and the weights only
        facts = None
    return kept(facts, image)


def _generator(checkpoint: Path, weights: str) -> dict[str, Tensor]:
    if weights == "average":
        return load_tensors(checkpoint, "average")
    return of_player(load_tensors(checkpoint, "game"), Player.GENERATOR)


def pick_device(name: str) -> torch.device:
    """The device that a user names; ``auto`` is CUDA where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no device {name!r}: auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA device is available here; use --device cpu, or auto")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


__all__ = ["Session", "as_run", "load", "pick_device", "recipe_of", "run"]
