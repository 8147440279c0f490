"""Following the hints of ``ganblocks check`` to the letter, as a user does who knows nothing else."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli_w
from attrs import frozen

from ganblocks import Mistake, RecipeError, Registry, read_recipe
from ganblocks.assembly import check

Table = dict[str, Any]
SETTING = re.compile(r'([\w.]+) = (\[[^\]]*\]|"[^"]*"|[\w.+-]+)')
LEAVING = re.compile(r"leave (\w+) out")
NOTHING_HELPS = ("no size helps", "cannot be set")
MOST = 8
"""Hints that are followed one after another."""

BASE: Table = tomllib.loads("""
title = "to be broken"
[data]
use = "image_folder"
path = "pictures"
size = 32
classes = 3
[generator]
use = "resnet"
width = 16
norm = "batch"
[discriminator]
use = "resnet"
width = 16
conditioning = "none"
[loss]
use = "hinge"
[update]
use = "alternating"
generator = { use = "adam", rate = 1e-4 }
discriminator = { use = "adam", rate = 2e-4 }
[training]
images = 64
batch = 8
""")


@frozen
class Trail:
    """How following went: what was said, in order, and whether the recipe passed in the end."""

    said: tuple[str, ...]
    passed: bool


def recipe_of(changes: Table) -> Table:
    """The recipe to be broken, changed at dotted paths; None takes away."""
    table = copy.deepcopy(BASE)
    for path, value in changes.items():
        put(table, path, value)
    return table


def put(table: Table, path: str, value: Any) -> None:
    """Set a value at a dotted path; a component that stood there by its name alone becomes a table."""
    *folders, key = path.split(".")
    for folder in folders:
        inner = table.get(folder, {})
        table[folder] = {"use": inner} if isinstance(inner, str) else inner
        table = table[folder]
    if value is None:
        table.pop(key, None)
    elif key == "use" and table.get("use") != value:  # a player keeps what its new network knows too
        table["use"] = value
    else:
        table[key] = value


def mistakes_of(table: Table, folder: Path, registry: Registry) -> tuple[Mistake, ...]:
    """What ``ganblocks check`` says of a recipe."""
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    try:
        check(read_recipe(path, registry=registry), registry)
    except RecipeError as error:
        return error.mistakes
    return ()


def followed(table: Table, folder: Path, registry: Registry, said: tuple[str, ...] = ()) -> Iterator[Trail]:
    """Every way on from a recipe: each alternative of the first hint, then of the next mistake's, until nothing is wrong."""
    mistakes = mistakes_of(table, folder, registry)
    if not mistakes:
        yield Trail(said, passed=True)
        return
    first = mistakes[0]
    said = (*said, str(first))
    if len(said) > MOST or any(words in first.hint for words in NOTHING_HELPS):
        yield Trail(said, passed=len(said) <= MOST)
        return
    steps = list(steps_of(first))
    if not steps:
        yield Trail((*said, "no step can be read from this"), passed=False)
    for step in steps:
        changed = copy.deepcopy(table)
        step(changed)
        yield from followed(changed, folder, registry, said)


def steps_of(mistake: Mistake) -> Iterator[Callable[[Table], None]]:
    """What each alternative of a hint asks for."""
    place = place_of(mistake.where)
    for alternative in re.split(r",? or |; or ", mistake.hint):
        settings = [(absolute(place, key), tomllib.loads(f"x = {value}")["x"]) for key, value in SETTING.findall(alternative)]
        left_out = [(absolute(place, key), None) for key in LEAVING.findall(alternative)]
        if settings or left_out:
            yield lambda table, changes=(*settings, *left_out): [put(table, *change) for change in changes]  # type: ignore[misc]


def place_of(where: str) -> str:
    """The place in a recipe of a place in a network: generator.block2.attention is generator.attention."""
    parts = [part for part in where.split(".") if not re.fullmatch(r"(block|stage)\d+|blocks", part)]
    names = {"head": "conditioning", "norm1": "norm", "norm2": "norm"}
    return ".".join(names.get(part, part) for part in parts)


def absolute(place: str, key: str) -> str:
    """The path of a key that a hint names: a whole path, the component that stands there, or one of its options."""
    if "." in key:
        return key
    return place if place.rpartition(".")[2].endswith(key) else f"{place}.{key}"
