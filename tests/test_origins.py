"""A component keeps the name by which it was asked for: equal ones, one class under several names, copies for a longer run."""

from __future__ import annotations

import gc
from typing import Any

import attrs
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import Registry, UnknownComponent, moving, socket
from ganblocks.options import structure, unstructure
from ganblocks.origins import Origin, origin_of, remember
from ganblocks.schedules import Moving, spanning
from ganblocks.testing import examples


@frozen
class Block:
    """Equal to every other of the same weight, with slots."""

    weight: Moving = moving(1.0)

    def build(self, site: object) -> object:
        return site


@attrs.define(frozen=True, slots=True, weakref_slot=False)
class Rigid:
    """An object to which nothing can refer weakly."""

    def build(self, site: object) -> object:
        return site


@frozen(kw_only=True)
class Pair:
    left: Any = socket("attention", default="a")
    right: Any = socket("norm", default="a")

    def build(self, site: object) -> object:
        return site


NAMES = ["a", "b", "c", "second:a"]
FIRST = Registry.of(
    {
        "attention": {"a": Block, "b": Block, "c": Rigid, "z": Pair},
        "norm": {"b": Block, "a": Rigid, "c": Rigid},
    },
    owner="first",
)
REGISTRY = FIRST.with_(Registry.of({"attention": {"a": Rigid}, "norm": {"a": Block}}, owner="second"))
WRITTEN = {"first:a", "second:a", "b", "c"}


@examples(30)
@given(left=st.sampled_from(sorted(WRITTEN)), right=st.sampled_from(sorted(WRITTEN)), created=st.booleans(), long=st.booleans())
def test_what_is_written_is_what_was_asked_for(left: str, right: str, created: bool, long: bool) -> None:
    parts: dict[str, Any] = {"left": left, "right": right}
    if created:
        parts = {"left": REGISTRY.create("attention", left), "right": REGISTRY.create("norm", right)}
    pair = structure(Pair, parts, "", REGISTRY.get)
    found = unstructure(spanning(pair, 100) if long else pair, REGISTRY.name_of)
    names = {side: value if isinstance(value, str) else value["use"] for side, value in found.items()}
    assert names == {"left": left, "right": right}


def test_a_copy_for_a_longer_run_keeps_the_name() -> None:
    block = REGISTRY.create("attention", "b", weight={"use": "linear", "start": 0.0, "end": 1.0})
    longer = spanning(block, 1000)
    assert longer != block
    assert REGISTRY.name_of("attention", longer) == "b"


def test_equal_components_have_names_of_their_own_and_none_outlives_its_component() -> None:
    one, other = REGISTRY.create("attention", "first:a"), REGISTRY.create("attention", "b")
    assert one == other
    assert [REGISTRY.name_of("attention", each) for each in (one, other)] == ["first:a", "b"]
    for _ in range(200):  # addresses are used again
        remember(Block(), Origin("attention", "b"))
        gc.collect(0)
        assert origin_of(Block()) is None


def test_a_name_counts_for_its_kind_and_its_registry_only() -> None:
    block = REGISTRY.create("attention", "b")
    assert REGISTRY.name_of("norm", block) == "second:a"  # the first name of the class among norms
    elsewhere = Registry.of({"attention": {"b": Rigid, "x": Block}})
    assert elsewhere.name_of("attention", block) == "x"


@pytest.mark.parametrize(
    ("kind", "component", "name"), [("attention", Block(), "b"), ("norm", Block(), "b"), ("norm", Rigid(), "c")]
)
def test_a_class_that_was_called_in_python_takes_a_name_of_its_class(kind: str, component: object, name: str) -> None:
    plain = Registry.of(
        {"attention": {"b": Block, "d": Block}, "norm": {"b": f"{__name__}:Block", "c": Rigid, "broken": "no.such:X"}}
    )
    assert plain.name_of(kind, component) == name


def test_a_class_that_nobody_offers_for_the_kind_is_an_error_that_says_how() -> None:
    with pytest.raises(
        UnknownComponent, match=r"no plugin offers the class Pair as a component of kind norm; .*ganblocks_norms"
    ):
        REGISTRY.name_of("norm", Pair(left=Block(), right=Block()))
