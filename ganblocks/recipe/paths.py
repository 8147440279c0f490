"""Options of a recipe that are paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from ganblocks.errors import UsageError
from ganblocks.options.fields import options_of
from ganblocks.recipe.schema import Recipe

T = TypeVar("T")


def rooted(part: T) -> T:
    """Return the recipe, component or option with every path absolute (deeply)."""
    match part:
        case Path():
            return cast("T", part.expanduser().absolute())
        case tuple():
            return cast("T", tuple(map(rooted, part)))
        case dict():
            return cast("T", {key: rooted(item) for key, item in part.items()})
    if not attrs.has(type(part)):
        return part
    old = {key: getattr(part, attribute.name) for key, attribute in options_of(type(part)).items()}
    new = {key: rooted(value) for key, value in old.items()}
    value: Any = part
    return cast("T", attrs.evolve(value, **{key: item for key, item in new.items() if item != old[key]}))


def paths_of(component: Any) -> list[str]:
    """Return the names of a component's own options that hold a path."""
    options = options_of(type(component)).items()
    return [key for key, attribute in options if isinstance(getattr(component, attribute.name), Path)]


def with_data(recipe: Recipe, path: Path) -> Recipe:
    """Return the recipe with its data set at ``path``. Raise UsageError unless the data set has exactly one path."""
    dataset: Any = recipe.data.dataset
    names = paths_of(dataset)
    if len(names) != 1:
        reason = f"has several paths ({', '.join(names)})" if names else "holds its images itself"
        fix = "change them in the run's recipe.toml" if names else "leave --data out"
        raise UsageError(f"--data {path}: the data set {type(dataset).__name__} {reason}", fix)
    moved = attrs.evolve(dataset, **{names[0]: path.expanduser().absolute()})
    return attrs.evolve(recipe, data=attrs.evolve(recipe.data, dataset=moved))
