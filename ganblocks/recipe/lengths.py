"""Report how the schedules of a recipe change when training gets another length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen

from ganblocks.options.fields import INLINE
from ganblocks.options.words import joined
from ganblocks.recipe.schema import Recipe
from ganblocks.schedules import Constant, Moving, spanning


@frozen
class Fate:
    """How one schedule changes."""

    words: str
    follows: bool
    """True if it spans the run, so that a run of the new length would have had other values so far."""


def fates(recipe: Recipe, before: int, seen: int) -> Iterator[Fate]:
    """Report on every schedule of a recipe whose length was ``before`` images so far, after ``seen`` of them."""
    for path, schedule in schedules(recipe):
        was, now = (spanning(schedule, images) for images in (before, recipe.training.images))
        if was != now:
            jump = f"at {seen:,} images it was {was.at(seen):.4g} and is {now.at(seen):.4g} from here on"
            yield Fate(f"{path} follows the length of the run, now {recipe.training.images:,} images: {jump}", follows=True)
        else:
            end = now.at(recipe.training.images)
            words = f"stays at {end:.4g}" if now.at(seen) == end else f"goes on as it is written, to {end:.4g}"
            yield Fate(f"{path} {words}", follows=False)


def schedules(value: Any, path: str = "") -> Iterator[tuple[str, Moving]]:
    """Iterate over (dotted path, schedule) of every option inside ``value`` that is not constant, deeply."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from schedules(item, joined(path, str(key)))
    elif isinstance(value, Moving):
        if not isinstance(value, Constant):
            yield path, value
    elif attrs.has(type(value)):
        for attribute in attrs.fields(type(value)):
            # the options of a section's own component are in the section's table
            inner = path if attribute.metadata.get(INLINE) else joined(path, attribute.alias)
            yield from schedules(getattr(value, attribute.name), inner)
