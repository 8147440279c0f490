"""The page about the bilinear game is what its script prints now, and its numbers are those of theory."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.cli.commands import ROOT

NAMES = ["simultaneous", "alternating", "ttur", "extragradient", "optimistic", "lookahead", "consensus"]
GAMES = ["SCALAR", "MATRIX"]


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("bilinear_game", ROOT / "docs" / "scripts" / "bilinear_game.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # attrs looks its class's module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def played(script: ModuleType) -> dict[str, dict[str, list[float]]]:
    """Game -> rule -> distances after 0, 1, 2, … iterations; played once, because that takes seconds."""
    return {game: script.all_played(getattr(script, game)) for game in GAMES}


def rule_of(script: ModuleType, name: str) -> Any:
    return next(rule for rule in script.RULES if rule.name == name)


def test_the_page_is_current(script: ModuleType, played: Any) -> None:
    now = script.page(*(played[game] for game in GAMES))
    assert script.PAGE.read_text(encoding="utf-8") == now, f"run {script.COMMAND}"


def test_the_table_has_every_rule(script: ModuleType) -> None:
    assert [rule.name for rule in script.RULES] == NAMES


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_component_arrives_where_theory_says(script: ModuleType, played: Any, name: str, game: str) -> None:
    rule, A = rule_of(script, name), getattr(script, game)
    for moment in (1, 2, script.STEPS, script.STEPS + 1, *script.MOMENTS):
        theory = float(rule.predicted(A, script.begin(A), moment).norm())
        assert played[game][name][moment] == pytest.approx(theory, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_formula_is_the_spectral_radius_of_its_map(script: ModuleType, name: str) -> None:
    rule = rule_of(script, name)
    assert rule.radius(script.SCALAR) == pytest.approx(rule.factor, rel=1e-9)


@pytest.mark.parametrize("game", GAMES)
def test_rules_made_for_games_converge_and_plain_descent_does_not(script: ModuleType, played: Any, game: str) -> None:
    """What the page says in words."""
    A, last = getattr(script, game), {name: distances[-1] for name, distances in played[game].items()}
    assert last["simultaneous"] > 50
    assert all(0.5 < distance < 2 for distance in played[game]["alternating"])
    assert all(0.2 < distance < 5 for distance in played[game]["ttur"])
    assert all(last[name] < 0.2 for name in ("extragradient", "optimistic", "lookahead", "consensus"))
    assert {rule.name for rule in script.RULES if rule.radius(A) < 1 - 1e-6} == {name for name in NAMES if last[name] < 0.2}
