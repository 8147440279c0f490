"""Paths in a recipe: options of type Path, wherever they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, cast

import attrs

from ganblocks.errors import UsageError
from ganblocks.recipe.schema import Recipe

T = TypeVar("T")


def rooted(part: T) -> T:
    """The same recipe, component or option, in which each path is absolute (deeply): it means the same file everywhere."""
    match part:
        case Path():
            return cast("T", part.expanduser().absolute())
        case tuple():
            return cast("T", tuple(map(rooted, part)))
        case dict():
            return cast("T", {key: rooted(item) for key, item in part.items()})
    if not attrs.has(type(part)):
        return part
    value: Any = part
    olds = {each.alias: getattr(value, each.name) for each in attrs.fields(type(value)) if each.init}
    news = {name: rooted(old) for name, old in olds.items()}
    return cast("T", attrs.evolve(value, **{name: new for name, new in news.items() if new != olds[name]}))


def paths_of(component: Any) -> list[str]:
    """The names of a component's own options that hold a path."""
    fields = attrs.fields(type(component))
    return [each.alias for each in fields if each.init and isinstance(getattr(component, each.name), Path)]


def with_data(recipe: Recipe, path: Path) -> Recipe:
    """The same recipe, whose data set lies at ``path``. Raises UsageError where its data set has no path, or several."""
    dataset: Any = recipe.data.dataset
    names = paths_of(dataset)
    if len(names) != 1:
        found = "holds its images itself" if not names else f"has several paths ({', '.join(names)})"
        fix = "leave --data out" if not names else "change them in the run's recipe.toml"
        raise UsageError(f"--data {path}: the data set {type(dataset).__name__} {found}; {fix}")
    moved = attrs.evolve(dataset, **{names[0]: path.expanduser().absolute()})
    return attrs.evolve(recipe, data=attrs.evolve(recipe.data, dataset=moved))
