"""The JSON Schema of recipes: it is current, every shipped recipe validates, and it agrees with the reader."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import ganblocks
from ganblocks.errors import Mistake, RecipeError
from ganblocks.options import reader as reading
from ganblocks.options.fields import options_of, types_of
from ganblocks.options.types import Component, OptionType, Section, TableOf
from ganblocks.options.write import plain as written
from ganblocks.recipe import Recipe
from ganblocks.recipe.extends import with_parent
from ganblocks.recipe.file import read_file
from ganblocks.recipe.json_schema import recipe_schema, schema_text
from ganblocks.recipe.read import name_terms
from ganblocks.registry import Registry
from ganblocks.testing.strategies import values

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
SHIPPED = ROOT / "recipes" / "recipe.schema.json"
OWN_RULE = "a rule between options"
COMMAND = "ganblocks schema --out recipes/recipe.schema.json"

Table = dict[str, Any]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return ganblocks.discover()


@pytest.fixture(scope="module")
def schema(registry: Registry) -> Draft202012Validator:
    Draft202012Validator.check_schema(recipe_schema(registry))
    return Draft202012Validator(recipe_schema(registry))


def test_the_shipped_schema_is_current(registry: Registry) -> None:
    assert SHIPPED.read_text(encoding="utf-8") == schema_text(registry), f"run: {COMMAND}"


def test_every_shipped_recipe_names_the_schema_and_validates() -> None:
    for path in RECIPES:
        assert path.read_text(encoding="utf-8").startswith("#:schema ./recipe.schema.json\n"), path
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", SHIPPED, *RECIPES]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def whole(path: Path) -> Table:
    table, _ = with_parent(read_file(path))
    return table


WHOLE = [whole(path) for path in RECIPES]


def tables(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Iterate over the paths of all tables, but those of ablations, whose values are kept as they are written."""
    if isinstance(value, dict) and path[:1] != ("ablation",):
        yield path
    for key, item in value.items() if isinstance(value, dict) else ():
        yield from tables(item, (*path, key))


def at(table: Table, path: tuple[Any, ...]) -> Any:
    for key in path:
        table = table[key]
    return table


plain: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([0, 1, -1, 2, 3, 16, 10**6, 0.5, -0.5, 1.5, 1e-7, "", "none", "auto", "fused", "hinge", "x/y"]),
    st.booleans(),
    st.integers(-300, 300),
    st.floats(-3, 3, allow_nan=False).filter(lambda number: not number.is_integer()),
    st.text("abc.", max_size=3),
    st.lists(st.sampled_from([0, 1, -1, 0.5, 1.5, "color", True]), max_size=3),
    st.sampled_from([{}, {"use": "none"}, {"use": "cosine", "start": 0, "end": 0.5}, {"use": "linear", "start": -1, "end": 1}]),
    st.sampled_from([{"use": "warm_up", "images": 5, "then": {"use": "linear", "start": 0, "end": 2}}, {"use": "steps"}]),
    st.sampled_from(
        [{"use": "warm_up", "images": 0, "then": 1}, {"use": "constant", "value": "1"}, {"use": "group", "groups": 4}]
    ),
)


@st.composite
def changed(draw: st.DrawFn, registry: Registry) -> Table:
    """A shipped recipe with one or two changes: unknown keys, other types, other numbers, other options."""
    table = copy.deepcopy(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(sorted(tables(table), key=str)))
        place = at(table, path)
        types = option_types(registry, path, place.get("use"))
        key = draw(st.sampled_from(["unknwon", *sorted({*place, *types} - {"ablation"})]))
        value = draw(fitting(types.get(key), place.get(key), registry) if draw(st.integers(0, 2)) else plain)
        assume(key != "use" or not isinstance(value, dict))
        place[key] = copy.deepcopy(value)
    return table


def option_types(registry: Registry, path: tuple[Any, ...], use: Any) -> dict[str, OptionType]:
    """What the options of a table may hold: those of every component of its name, or those of a section."""
    section = types_of(Recipe).get(path[0]) if len(path) == 1 else None
    classes = [offer.resolve() for offer in registry.offers() if offer.name == use]
    classes += [section.cls] if isinstance(section, Section) else []
    return {key: types_of(cls)[attribute.name] for cls in classes for key, attribute in options_of(cls).items()}


def fitting(expected: OptionType | None, old: Any, registry: Registry) -> st.SearchStrategy[Any]:
    """Values that an option may hold, and numbers near the one that it holds."""
    if type(old) in (int, float):
        return st.sampled_from([old, old + 1, old - 1, -old, 2 * old])
    known = expected is not None and not isinstance(expected, Component | Section | TableOf)
    return values(expected, registry).filter(lambda value: value is not None).map(written) if known else st.just(old or {})


def mistakes(table: Table, registry: Registry) -> tuple[Mistake, ...]:
    """What the reader says of a recipe; empty if it accepts it."""
    try:
        reading.structure(Recipe, name_terms(copy.deepcopy(table)), "", registry.get)
    except RecipeError as error:
        return error.mistakes
    return ()


def mistakes_of_types(table: Table, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> list[Mistake]:
    """What it says of keys, types and ranges: the rules that components have of their own are left out."""
    with monkeypatch.context() as patch, attrs.validators.disabled():
        patch.setattr(reading, "broken_rules", lambda cls, values: ())
        patch.setattr(reading, "_rule_of", lambda error: (OWN_RULE, ""))
        return [mistake for mistake in mistakes(table, registry) if mistake.rule != OWN_RULE]


def holds_whole_float(value: Any) -> bool:
    """3.0 is an integer to JSON Schema, and none to the reader."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, float) and value.is_integer()) or any(map(holds_whole_float, parts))


def test_reader_and_schema_agree(registry: Registry, schema: Draft202012Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    """On unknown keys, types and ranges, in 500 cases: and what the schema refuses the whole reader refuses."""
    counts = {True: 0, False: 0}

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(changed(registry))
    def agree(table: Table) -> None:
        valid = schema.is_valid(table)
        counts[valid] += 1
        if valid or not holds_whole_float(table):
            assert valid == (not mistakes_of_types(table, registry, monkeypatch))
        assert valid or mistakes(table, registry)

    agree()
    assert min(counts.values()) >= 50, counts
