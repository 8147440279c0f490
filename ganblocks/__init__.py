"""ganblocks: a plugin-based registry of GAN components.

These are the public words: one import for plugin authors, recipes' readers and notebooks. Importing them never imports torch;
the few that need it are loaded when they are first used.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganblocks import deprecated
from ganblocks._version import __version__ as __version__
from ganblocks.errors import (
    AmbiguousComponent,
    BrokenPlugin,
    CheckpointError,
    Collapsed,
    DataError,
    Diverged,
    GanblocksError,
    Mistake,
    OptionError,
    PlacementError,
    RecipeError,
    UnfitSize,
    UnknownComponent,
)
from ganblocks.hookspecs import hookimpl
from ganblocks.kinds.attention import Attention
from ganblocks.kinds.augment import Augment
from ganblocks.kinds.component_capabilities import (
    Checked,
    ClassicNames,
    ClassicWeights,
    CouplesSamples,
    DifferentiatesTwice,
    Inspects,
    ReadsForeign,
    ReferenceFree,
)
from ganblocks.kinds.conditioning import Conditioning
from ganblocks.kinds.dataset import Dataset
from ganblocks.kinds.diagnostic import Diagnostic
from ganblocks.kinds.discriminator import Discriminator
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.game import Game, Turn
from ganblocks.kinds.generator import Generator
from ganblocks.kinds.initialization import Initialization
from ganblocks.kinds.logger import Logger, LoggerSession
from ganblocks.kinds.loss import Loss
from ganblocks.kinds.metric import Metric
from ganblocks.kinds.module_capabilities import (
    AddsTerm,
    AppendsClasses,
    AppliesMap,
    AttentionMap,
    DerivesWeight,
    Gated,
    HasEstimates,
    MixesClasses,
    MixesSamples,
    Observes,
    SingularValue,
)
from ganblocks.kinds.norm import Norm
from ganblocks.kinds.optimizer import Optimizer
from ganblocks.kinds.penalty import Penalty
from ganblocks.kinds.update_rule import NextBatch, Updater, UpdateRule
from ganblocks.kinds.weight_norm import WeightNorm
from ganblocks.options.declare import moving, option, socket
from ganblocks.schedules import Constant, Cosine, LinearSchedule, Moving, Schedule, WarmUp
from ganblocks.seeding import seed_of, seeded
from ganblocks.site import Site
from ganblocks.sizes import Doublings, Size, as_size, in_words, shorter, sides
from ganblocks.values import (
    Batch,
    ClassCount,
    Classes,
    Condition,
    Facts,
    Features,
    Finding,
    Images,
    ImageSpec,
    LoggedRun,
    Metrics,
    Objective,
    Player,
    Sample,
    Score,
    Use,
    Vector,
    View,
    full_precision,
    without_autocast,
)

if TYPE_CHECKING:
    from ganblocks.class_mixtures import class_rows, class_weights
    from ganblocks.plugins import discover
    from ganblocks.recipe import Recipe
    from ganblocks.registry import Registry
    from ganblocks.stepping import guarded_step
    from ganblocks.training.average import Average
    from ganblocks.training.launch import resume, run
    from ganblocks.training.run import load

_LATER = {
    "Average": "ganblocks.training.average",
    "Recipe": "ganblocks.recipe",
    "Registry": "ganblocks.registry",
    "class_rows": "ganblocks.class_mixtures",
    "class_weights": "ganblocks.class_mixtures",
    "discover": "ganblocks.plugins",
    "guarded_step": "ganblocks.stepping",
    "load": "ganblocks.training.run",
    "resume": "ganblocks.training.launch",
    "run": "ganblocks.training.launch",
}


def read_recipe(
    path: str | os.PathLike[str],
    overrides: Mapping[str, Any] | None = None,
    ablation: str | None = None,
    registry: Registry | None = None,
) -> Recipe:
    """Read a recipe strictly.

    Args:
        path: a TOML file.
        overrides: dotted path -> value, as ``--set`` gives them; they come after the ablation.
        ablation: the name of one of the recipe's ablations, to apply it; ``a+b`` applies two.
        registry: the components that the recipe may name; by default all that are installed.

    Raises:
        RecipeError: with every mistake, each with file, line, path, what arrived, the rule and the likely fix.

    """
    from ganblocks.plugins import discover
    from ganblocks.recipe import read

    return read.read_recipe(path, overrides, ablation, registry=registry or discover())


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    if name in deprecated.RENAMED:
        new = deprecated.RENAMED[name]
        deprecated.warn_renamed(f"ganblocks.{name}", f"ganblocks.{new}")
        return vars(deprecated).get(name, globals()[new])
    raise AttributeError(f"module 'ganblocks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "AddsTerm",
    "AmbiguousComponent",
    "AppendsClasses",
    "AppliesMap",
    "Attention",
    "AttentionMap",
    "Augment",
    "Average",
    "Batch",
    "BrokenPlugin",
    "Checked",
    "CheckpointError",
    "ClassCount",
    "Classes",
    "ClassicNames",
    "ClassicWeights",
    "Collapsed",
    "Condition",
    "Conditioning",
    "Constant",
    "Cosine",
    "CouplesSamples",
    "DataError",
    "Dataset",
    "DerivesWeight",
    "Diagnostic",
    "DifferentiatesTwice",
    "Discriminator",
    "Diverged",
    "Doublings",
    "Facts",
    "FeatureExtractor",
    "Features",
    "Finding",
    "Game",
    "GanblocksError",
    "Gated",
    "Generator",
    "HasEstimates",
    "ImageSpec",
    "Images",
    "Initialization",
    "Inspects",
    "LinearSchedule",
    "LoggedRun",
    "Logger",
    "LoggerSession",
    "Loss",
    "Metric",
    "Metrics",
    "Mistake",
    "MixesClasses",
    "MixesSamples",
    "Moving",
    "NextBatch",
    "Norm",
    "Objective",
    "Observes",
    "Optimizer",
    "OptionError",
    "Penalty",
    "PlacementError",
    "Player",
    "ReadsForeign",
    "Recipe",
    "RecipeError",
    "ReferenceFree",
    "Registry",
    "Sample",
    "Schedule",
    "Score",
    "SingularValue",
    "Site",
    "Size",
    "Turn",
    "UnfitSize",
    "UnknownComponent",
    "UpdateRule",
    "Updater",
    "Use",
    "Vector",
    "View",
    "WarmUp",
    "WeightNorm",
    "as_size",
    "class_rows",
    "class_weights",
    "discover",
    "full_precision",
    "guarded_step",
    "hookimpl",
    "in_words",
    "load",
    "moving",
    "option",
    "read_recipe",
    "resume",
    "run",
    "seed_of",
    "seeded",
    "shorter",
    "sides",
    "socket",
    "without_autocast",
]
