"""Recipes that people might write, each broken in one way, against the built-in components.

The first lines of each file say what its errors must name: ``# expect: path | words of the rule or the hint``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import ganblocks
from ganblocks.recipe import read_recipe, write_recipe
from ganblocks.registry import Registry

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.toml"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return ganblocks.discover()


def expectations(path: Path) -> list[tuple[str, str]]:
    lines = path.read_bytes().decode(errors="replace").split("\n")
    expected = [line.removeprefix("# expect:").split("|", 1) for line in lines if line.startswith("# expect:")]
    return [(where.strip(), words.strip()) for where, words in expected]


def test_the_recipe_that_they_break_is_whole(registry: Registry, tmp_path: Path) -> None:
    recipe = read_recipe(HERE / "valid_base.toml", registry=registry)
    (tmp_path / "resolved.toml").write_text(write_recipe(recipe, registry), encoding="utf-8")
    assert read_recipe(tmp_path / "resolved.toml", registry=registry) == recipe
    assert len(BROKEN) >= 40


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_recipe_says_where_and_what_to_do(registry: Registry, path: Path) -> None:
    with pytest.raises(ganblocks.RecipeError) as caught:
        read_recipe(path, registry=registry)
    lines = str(caught.value).split("\n")
    expected = expectations(path)
    assert len(lines) == len(expected), lines
    for where, words in expected:
        assert any(_says(line, path, where, words) for line in lines), (where, words, lines)


def _says(line: str, path: Path, where: str, words: str) -> bool:
    """File, dotted path, words, and a hint after the rule."""
    place, _, rest = line.removeprefix(str(path)).partition(": ")
    named = rest.startswith(f"{where}: ") if where else True
    return (
        line.startswith(str(path)) and place.lstrip(":").isdigit() | (place == "") and named and words in rest and "; " in rest
    )
