"""Every shipped recipe on embedded images, small enough for a test, and what a user gets from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ganblocks import Recipe, Registry, discover, read_recipe, run
from ganblocks.evaluation import Report, Scoring, evaluation_settings, read_reports
from ganblocks.options.fields import options_of
from tests.cli.commands import ROOT

REGISTRY: Registry = discover()
BATCH, SCORED = 16, 256
STEPS = 48
"""Of the generator."""


def embedded() -> list[str]:
    """The recipes whose images are in the package."""
    names = sorted(path.stem for path in (ROOT / "recipes").glob("*.toml"))
    return [name for name in names if "path" not in options_of(type(read(name).data.dataset))]


def read(name: str, overrides: Mapping[str, Any] | None = None, ablation: str | None = None) -> Recipe:
    return read_recipe(ROOT / "recipes" / f"{name}.toml", dict(overrides or {}), ablation, REGISTRY)


def small(name: str, ablation: str | None = None) -> Recipe:
    """The recipe, narrow, for few steps, with an average that keeps up, scored by small pictures at each third."""
    full = read(name, ablation=ablation)
    per_step = BATCH * getattr(full.update, "discriminator_steps", 1)
    images = STEPS * per_step
    overrides = {
        "training.images": images,
        "training.batch": BATCH,
        "training.precision": "fp32",
        "training.samples_every": images // 3,
        "training.checkpoint_every": images // 3,
        "average.decay": 0.8,
        "average.start": 0,
        "evaluation": {"every": images // 3, "n": SCORED, "metrics": {"kernel": {"subsets": 1}}},
        "evaluation.extractor": {"use": "pixels", "size": 4},
        **_narrow("generator", full.generator),
        **_narrow("discriminator", full.discriminator.network),
    }
    return read(name, overrides, ablation)


def _narrow(player: str, network: object) -> dict[str, Any]:
    """A quarter of the width, where it is an option."""
    options = options_of(type(network))
    return {f"{player}.width": max(math.ceil(network.width / 4), 8)} if "width" in options else {}  # type: ignore[attr-defined]


def train(recipe: Recipe, folder: Path, **how: Any) -> list[Report]:
    """Run a recipe as ``ganblocks run`` does; returns its reports, oldest first."""
    scoring = Scoring(recipe.data.dataset, evaluation_settings(recipe.evaluation, REGISTRY, "cpu"), REGISTRY, folder)
    run(recipe, folder, "cpu", registry=REGISTRY, scorer=scoring, **how)
    return read_reports(folder)


def kernel_distance(report: Report) -> float:
    return next(score.value for score in report.scores if score.name.startswith("kd["))


def evolve(recipe: Recipe, **changes: Any) -> Recipe:
    return attrs.evolve(recipe, **changes)
