"""What a recipe chooses: its components, and the options that differ from their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from attrs import frozen

from ganblocks.options.fields import INLINE, default_of, key_of, socket_kind
from ganblocks.options.write import plain
from ganblocks.recipe.schema import Recipe
from ganblocks.registry import Registry

UNSHOWN = ("title", "paper", "ablation", "plugins")
"""Entries of a recipe that choose nothing."""


@frozen
class ChosenEntry:
    """One entry of a recipe."""

    path: str
    value: Any
    """As TOML: a component is its name."""
    default: Any
    """None where the recipe must choose."""


def choices(recipe: Recipe, registry: Registry) -> list[ChosenEntry]:
    """Return the components of a recipe and its options that differ from their defaults, in the order of the recipe."""
    return [choice for choice in _of(recipe, "", registry) if choice.path.partition(".")[0] not in UNSHOWN]


def _of(value: Any, path: str, registry: Registry) -> Iterator[ChosenEntry]:
    for attribute in attrs.fields(type(value)):
        part, inline = getattr(value, attribute.name), attribute.metadata.get(INLINE)
        own = path if inline else f"{path}.{key_of(attribute)}".strip(".")
        if isinstance(part, dict):
            for key, item in part.items():
                yield from _entry(item, None, f"{own}.{key}", registry, attribute)
        else:
            yield from _entry(part, default_of(attribute), own, registry, attribute)


def _entry(part: Any, default: Any, path: str, registry: Registry, attribute: attrs.Attribute[Any]) -> Iterator[ChosenEntry]:
    kind = socket_kind(attribute)
    if kind is not None and attrs.has(type(part)):
        yield ChosenEntry(f"{path}.use" if attribute.metadata.get(INLINE) else path, registry.name_of(kind, part), None)
        yield from _of(part, path, registry)
    elif attrs.has(type(part)) and kind is None and not _is_schedule(part):
        yield from _of(part, path, registry)
    elif part != default:
        yield ChosenEntry(
            path, plain(part, registry.name_of), None if default is attrs.NOTHING else plain(default, registry.name_of)
        )


def _is_schedule(part: Any) -> bool:
    return hasattr(part, "at")
