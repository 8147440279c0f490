"""Every network at every size: it builds, or following what ``check`` says leads to a recipe that does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from ganblocks import DataError, Doublings, Images, ImageSpec, Registry, Size, discover
from tests.following import followed, mistakes_of, recipe_of

NETWORKS: dict[str, dict[str, Any]] = {
    "resnet": {},
    "biggan": {"generator.use": "biggan", "generator.norm": "conditional_batch"},
    "dcgan": {"generator.use": "dcgan", "discriminator.use": "dcgan"},
    "acgan": {"generator.use": "acgan", "discriminator.use": "acgan"},
    "r3gan": {"generator.use": "r3gan", "discriminator.use": "r3gan", "generator.norm": None},
    "acgan against r3gan": {"generator.use": "acgan", "discriminator.use": "r3gan"},
}
SIZES: tuple[Size, ...] = (6, 8, 20, 28, 36, 40, 48, 56, 60, 64, 96, 100, 128, (64, 128), (28, 56), (48, 36), (16, 200))
OF_ANY_START = ("resnet", "biggan", "dcgan", "r3gan")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return discover()


def at(network: str, size: Size) -> dict[str, Any]:
    return recipe_of({**NETWORKS[network], "data.size": size if isinstance(size, int) else list(size)})


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("network", OF_ANY_START)
def test_what_doubles_from_at_most_8_just_works(network: str, size: Size, registry: Registry, tmp_path: Path) -> None:
    """And all else is refused by one mistake, which names a smaller and a larger size; each of them works."""
    mistakes = mistakes_of(at(network, size), tmp_path, registry)
    if Doublings.all(size):
        assert not mistakes
        return
    (mistake,) = mistakes
    assert mistake.where == "data.size"
    trails = list(followed(at(network, size), tmp_path, registry))
    assert len(trails) == 2
    assert all(trail.passed and len(trail.said) == 1 for trail in trails)


@pytest.mark.parametrize("size", [8, 28, 64, 100, (64, 128)], ids=str)
@pytest.mark.parametrize("network", ["acgan", "acgan against r3gan"])
def test_networks_that_take_fewer_sizes_say_which(network: str, size: Size, registry: Registry, tmp_path: Path) -> None:
    trails = list(followed(at(network, size), tmp_path, registry))
    assert all(trail.passed and len(trail.said) <= 1 for trail in trails), trails


@pytest.mark.parametrize(
    ("size", "hint"),
    [
        (100, "set data.size = 96 or data.size = 112"),
        ((100, 128), "set data.size = [96, 128] or data.size = [112, 128]"),
        (1, "set data.size = 2"),
        (9_000, "set data.size = 8192"),
    ],
)
def test_the_nearest_sizes_are_named(size: Size, hint: str, registry: Registry, tmp_path: Path) -> None:
    (mistake,) = mistakes_of(at("resnet", size), tmp_path, registry)
    assert mistake.hint == hint


def test_a_size_is_refused_alone_whatever_else_is_wrong(registry: Registry, tmp_path: Path) -> None:
    """Attention at a size that does not occur, a wrong number of multipliers and a norm without classes wait."""
    wrong = {"generator.attention_at": [12], "generator.multipliers": [4, 2], "generator.norm": "conditional_batch"}
    table = recipe_of({**wrong, "data.classes": 0, "data.size": 100, "discriminator.halvings": 7})
    (mistake,) = mistakes_of(table, tmp_path, registry)
    assert mistake.where == "data.size"
    assert all(trail.passed for trail in followed(table, tmp_path, registry))


@frozen(kw_only=True)
class Fixed:
    """A data set whose size is what it is."""

    def describe(self) -> ImageSpec:
        return ImageSpec(channels=3, size=100)

    def open(self) -> Images:
        raise DataError("there are no such images")


@frozen(kw_only=True)
class Odd:
    """A data set that comes in odd sizes only."""

    size: int = field(default=31)

    @size.validator
    def _odd(self, attribute: object, value: int) -> None:
        if value % 2 == 0:
            raise ValueError("'size' must be odd")

    def describe(self) -> ImageSpec:
        return ImageSpec(channels=3, size=self.size)

    def open(self) -> Images:
        raise DataError("there are no such images")


@pytest.mark.parametrize(
    ("use", "where", "words"), [("fixed", "data.use", "cannot be set: use another one"), ("odd", "data.size", "no size helps")]
)
def test_a_data_set_that_no_size_helps_is_told_so(use: str, where: str, words: str, registry: Registry, tmp_path: Path) -> None:
    mine = registry.with_(Registry.of({"dataset": {"fixed": Fixed, "odd": Odd}}))
    (mistake,) = mistakes_of(recipe_of({"data": {"use": use}}), tmp_path, mine)
    assert (mistake.where, words in mistake.hint) == (where, True)
