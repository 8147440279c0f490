"""ganblocks: a plugin-based registry of GAN components.

These are the public words: one import for plugin authors, recipes' readers and notebooks. Importing them never imports torch;
the few that need it are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganblocks.errors import (
    AmbiguousComponent,
    BrokenPlugin,
    CheckpointError,
    Collapsed,
    DataError,
    Diverged,
    GanblocksError,
    Misfit,
    Mistake,
    RecipeError,
    UnfitSize,
    UnknownComponent,
)
from ganblocks.hookspecs import hookimpl
from ganblocks.kinds.attention import Attention
from ganblocks.kinds.augment import Augment
from ganblocks.kinds.capabilities import (
    AddsTerm,
    AppendsClasses,
    AttentionMap,
    Checked,
    CouplesSamples,
    DifferentiatesTwice,
    ExaminesGenerator,
    Gated,
    Inspects,
    JudgesAlone,
    Maintained,
    MixesSamples,
    Observes,
    ReadsForeign,
    SingularValue,
)
from ganblocks.kinds.conditioning import Conditioning
from ganblocks.kinds.dataset import Dataset
from ganblocks.kinds.discriminator import Discriminator
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.game import Game, Turn
from ganblocks.kinds.generator import Generator
from ganblocks.kinds.initialization import Initialization
from ganblocks.kinds.loss import Loss
from ganblocks.kinds.metric import Metric
from ganblocks.kinds.norm import Norm
from ganblocks.kinds.optimizer import Optimizer
from ganblocks.kinds.penalty import Penalty
from ganblocks.kinds.update_rule import NextBatch, Updater, UpdateRule
from ganblocks.kinds.weight_norm import WeightNorm
from ganblocks.schedules import Constant, Cosine, Linear, Moving, Schedule, WarmUp, moving
from ganblocks.sizes import Doublings, Size, as_size, in_words, shorter, sides
from ganblocks.sockets import socket
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
    Metrics,
    Objective,
    Player,
    Sample,
    Score,
    Site,
    Use,
    Vector,
    View,
    seed_of,
    seeded,
)

if TYPE_CHECKING:
    from ganblocks.plugins import discover
    from ganblocks.recipe import Recipe, read_recipe
    from ganblocks.registry import Registry
    from ganblocks.stepping import guarded_step
    from ganblocks.training.resuming import resume
    from ganblocks.training.runs import load, run

__version__ = "0.1.0"

_LATER = {
    "Recipe": "ganblocks.recipe",
    "Registry": "ganblocks.registry",
    "discover": "ganblocks.plugins",
    "guarded_step": "ganblocks.stepping",
    "load": "ganblocks.training.runs",
    "read_recipe": "ganblocks.recipe",
    "resume": "ganblocks.training.resuming",
    "run": "ganblocks.training.runs",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'ganblocks' has no attribute {name!r}")


__all__ = [
    "AddsTerm",
    "AmbiguousComponent",
    "AppendsClasses",
    "Attention",
    "AttentionMap",
    "Augment",
    "Batch",
    "BrokenPlugin",
    "Checked",
    "CheckpointError",
    "ClassCount",
    "Classes",
    "Collapsed",
    "Condition",
    "Conditioning",
    "Constant",
    "Cosine",
    "CouplesSamples",
    "DataError",
    "Dataset",
    "DifferentiatesTwice",
    "Discriminator",
    "Diverged",
    "Doublings",
    "ExaminesGenerator",
    "Facts",
    "FeatureExtractor",
    "Features",
    "Finding",
    "Game",
    "GanblocksError",
    "Gated",
    "Generator",
    "ImageSpec",
    "Images",
    "Initialization",
    "Inspects",
    "JudgesAlone",
    "Linear",
    "Loss",
    "Maintained",
    "Metric",
    "Metrics",
    "Misfit",
    "Mistake",
    "MixesSamples",
    "Moving",
    "NextBatch",
    "Norm",
    "Objective",
    "Observes",
    "Optimizer",
    "Penalty",
    "Player",
    "ReadsForeign",
    "Recipe",
    "RecipeError",
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
    "discover",
    "guarded_step",
    "hookimpl",
    "in_words",
    "load",
    "moving",
    "read_recipe",
    "resume",
    "run",
    "seed_of",
    "seeded",
    "shorter",
    "sides",
    "socket",
]
