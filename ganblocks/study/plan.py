"""The runs of a study: every variant, checked, in a fixed order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from ganblocks.assembly import check
from ganblocks.errors import RecipeError, UsageError
from ganblocks.options.fields import PLUGIN_DEFAULT
from ganblocks.recipe import Recipe, read_recipe, write_recipe
from ganblocks.recipe.schema import Evaluation, Measure
from ganblocks.registry import Registry
from ganblocks.study.costs import Cost, cost_of

BASELINE = "baseline"
"""Name of the unchanged recipe."""
DEFAULT_SCORES = 4
"""Scores per run if the recipe sets no cadence."""
DEFAULT_IMAGES = 1_000
"""Images per score if the recipe has no evaluation."""


@frozen
class Variant:
    """One row of the table."""

    name: str
    recipe: Recipe
    text: str
    """The resolved recipe, in canonical TOML."""
    against: str
    """The row that it is compared with; its own name means none."""
    cost: Cost

    @property
    def digest(self) -> str:
        """The SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@frozen
class Cell:
    """One run of a study."""

    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        """Variant and seed, for messages."""
        return f"{self.variant.name}, seed {self.seed}"


@frozen
class Plan:
    """All runs of a study, the baseline first."""

    title: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]

    def cells(self) -> Iterator[Cell]:
        """Yield all cells seed by seed, so that an unfinished study has complete replicates."""
        for seed in self.seeds:
            for variant in self.variants:
                yield Cell(variant, seed)


def plan(
    path: Path, variants: Sequence[str] | None, seeds: Sequence[int], overrides: Mapping[str, Any], registry: Registry
) -> Plan:
    """Read and check every variant.

    Args:
        path: the recipe.
        variants: names of its ablations, ``a+b`` for two at once; None: all of them.
        seeds: of the runs.
        overrides: of every variant, as from ``--set``.
        registry: knows the names of components.

    Raises:
        RecipeError: a variant cannot be assembled.
        UsageError: no variants or seeds, one twice, or one compared with a variant that is left out.

    """
    base = read_recipe(path, overrides, None, registry=registry)
    names = list(base.ablation) if variants is None else list(variants)
    _refuse(names, seeds, base, path)
    rows = [_variant(path, name, base, overrides, registry) for name in (BASELINE, *names)]
    known = {row.name for row in rows}
    for row in rows:
        if row.against not in known:
            raise UsageError(f"{row.name} is compared with {row.against}, which is left out", "add it to --variants")
    return Plan(base.title, tuple(rows), tuple(seeds))


def _refuse(names: Sequence[str], seeds: Sequence[int], base: Recipe, path: Path) -> None:
    if not names:
        rule = f"{path}: nothing to compare: the recipe has no [ablation.NAME]"
        raise UsageError(rule, "add one, such as [ablation.residual.set]")
    if not seeds:
        raise UsageError("no seeds", "write --seeds 0,1,2")
    for what, given in (("variant", names), ("seed", list(map(str, seeds)))):
        if twice := sorted({name for name in given if given.count(name) > 1}):
            raise UsageError(f"{what} {twice[0]} is there twice")
    if BASELINE in base.ablation or BASELINE in names:
        rule = f"{BASELINE} is the recipe as it is written, and always included"
        raise UsageError(rule, "rename the ablation, or leave it out")


def _variant(path: Path, name: str, base: Recipe, overrides: Mapping[str, Any], registry: Registry) -> Variant:
    ablation = None if name == BASELINE else name
    try:
        recipe = _scored(read_recipe(path, overrides, ablation, registry=registry), registry)
        facts = check(recipe, registry)
    except RecipeError as error:
        if ablation is None:
            raise
        raise error.in_ablation(name) from error
    own = base.ablation.get(name)
    recipe = attrs.evolve(recipe, ablation={})
    return Variant(
        name=name,
        recipe=recipe,
        text=write_recipe(recipe, registry),
        against=(own.against if own else None) or BASELINE,
        cost=cost_of(recipe, facts.image),
    )


def _scored(recipe: Recipe, registry: Registry) -> Recipe:
    """Return the recipe with an evaluation and a cadence of scores."""
    evaluation = recipe.evaluation or _default_evaluation(registry)
    every = evaluation.every or max(recipe.training.images // DEFAULT_SCORES, 1)
    return attrs.evolve(recipe, evaluation=attrs.evolve(evaluation, every=every))


def _default_evaluation(registry: Registry) -> Evaluation:
    """Return an evaluation by the first of the default metrics."""
    metric = registry.create("metric", PLUGIN_DEFAULT)
    extractor = registry.create("feature_extractor", PLUGIN_DEFAULT)
    metrics = {registry.name_of("metric", metric): Measure(metric=metric)}
    return Evaluation(extractor=extractor, metrics=metrics, n=DEFAULT_IMAGES)


def parse_seeds(text: str) -> list[int]:
    """Return the seeds in a text such as ``0,1,2`` or ``0-9``. Raises UsageError."""
    seeds: list[int] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if match is None:
            raise UsageError(f"--seeds {text}: no seeds", "write numbers with commas, or a range: 0,1,2 or 0-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first > 9_999:
            raise UsageError(f"--seeds {text}: more than 10,000 seeds")
        seeds += range(first, last + 1)
    return seeds
