"""recipes/attention-blocks.toml: every block beside a control that a study calls equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganblocks import discover, read_recipe
from ganblocks.recipe import write_recipe
from ganblocks.study.costs import MOST_APART, swap
from ganblocks.study.plan import BASELINE, Plan, plan

RECIPE = Path(__file__).parents[3] / "recipes" / "attention-blocks.toml"
BLOCKS = ("self_attention", "multi_head", "non_local", "linear", "windowed")
CONTROLS = {f"{name}_residual": name for name in BLOCKS} | dict.fromkeys(
    ("global_context", "squeeze_excitation"), "self_attention"
)
"""A control -> the block whose size it has."""


@pytest.fixture(scope="module")
def wanted() -> Plan:
    return plan(RECIPE, None, [0], {}, discover())


def test_each_block_stands_against_nothing_and_its_control_against_it(wanted: Plan) -> None:
    against = {variant.name: variant.against for variant in wanted.variants if variant.name != BASELINE}
    assert against == dict.fromkeys(BLOCKS, BASELINE) | CONTROLS


def test_controls_are_of_their_block_s_size_and_blocks_only_add(wanted: Plan) -> None:
    cost = {variant.name: variant.cost for variant in wanted.variants}
    for control, name in CONTROLS.items():
        swapped = swap(cost[control], cost[name])
        assert swapped.alike
        assert not swapped.adds_or_removes
        assert swapped.apart <= (MOST_APART if control.endswith("_residual") else 0.004)
    for name in BLOCKS:
        assert swap(cost[name], cost[BASELINE]).theirs == 0


def test_a_control_with_what_it_is_like_is_written_and_read_back(tmp_path: Path) -> None:
    registry = discover()
    recipe = read_recipe(RECIPE, ablation="windowed_residual", registry=registry)
    (tmp_path / "again.toml").write_text(write_recipe(recipe, registry), encoding="utf-8")
    assert read_recipe(tmp_path / "again.toml", registry=registry) == recipe
