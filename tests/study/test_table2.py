"""recipes/table2.toml: three systems at equal work, and what the study says of their sizes."""

from __future__ import annotations

import pytest

import ganblocks as public
from ganblocks.study.costs import swap
from ganblocks.study.plan import BASELINE, Plan, Variant, plan
from tests.cli.commands import ROOT


@pytest.fixture(scope="module")
def systems() -> dict[str, Variant]:
    wanted: Plan = plan(ROOT / "recipes" / "table2.toml", None, [0], {}, public.discover())
    return {variant.name: variant for variant in wanted.variants}


def test_work_is_equal(systems: dict[str, Variant]) -> None:
    assert set(systems) == {BASELINE, "acgan", "sagan"}
    recipes = [variant.recipe for variant in systems.values()]
    for part in ("training", "update", "data", "loss", "average", "evaluation"):
        assert all(getattr(recipe, part) == getattr(recipes[0], part) for recipe in recipes), part
    assert recipes[0].evaluation is not None
    assert set(recipes[0].evaluation.metrics) == {"kernel", "frechet_per_class"}


def test_the_classifier_swaps_equal_parameters_and_attention_adds_some_within_the_rule(systems: dict[str, Variant]) -> None:
    base, acgan, sagan = (systems[name].cost for name in (BASELINE, "acgan", "sagan"))
    table = 9 * 128
    assert swap(acgan, base).summary() == f"{table:,} parameters for {table:,} (+0.0%)"
    larger = swap(sagan, base)  # the wrapped layers of G have other names
    assert larger.mine - larger.theirs == sagan.parameters - base.parameters > 0
    assert larger.apart < 0.01
    assert swap(acgan, base).alike
    assert larger.alike
    assert all(variant.against == BASELINE for variant in systems.values())
