"""Names: one owner each, or an error that tells them apart; nothing but registered names resolves."""

from __future__ import annotations

import pytest
from attrs import define, field, frozen
from attrs.validators import ge
from hypothesis import given
from hypothesis import strategies as st

from ganblocks import AmbiguousComponent, BrokenPlugin, RecipeError, Registry, UnknownComponent
from ganblocks.registry import Offer, PluginFact


@frozen
class Block:
    size: int = field(default=3, validator=ge(1))

    def build(self, site: object) -> object:
        return site


@frozen
class Other:
    def build(self, site: object) -> object:
        return site


@define
class Thawed:
    def build(self, site: object) -> object:
        return site


@frozen
class Empty:
    pass


class Bare:
    def build(self, site: object) -> object:
        return site


def registry(owner: str = "acme", **components: type | str) -> Registry:
    return Registry.of({"attention": components}, owner=owner)


def test_a_name_gives_its_class_and_a_target_is_imported_on_demand() -> None:
    found = registry(block=Block, later=f"{__name__}:Other")
    assert found.get("attention", "block") is Block
    assert found.names("attention") == ("block", "later")
    assert found.names("loss") == ()


@pytest.mark.statement(101)
def test_two_owners_of_one_name_must_be_told_apart() -> None:
    both = registry("acme", block=Block).with_(registry("zeta", block=Other))
    with pytest.raises(AmbiguousComponent, match=r'"acme:block" or "zeta:block"'):
        both.get("attention", "block")
    assert both.get("attention", "acme:block") is Block
    assert both.get("attention", "zeta:block") is Other
    assert both.names("attention") == ("block",)
    assert both.name_of("attention", Other()) == "zeta:block"
    assert registry(block=Block).name_of("attention", Block()) == "block"


def test_a_former_name_of_a_plugin_still_names_the_owner() -> None:
    renamed = Registry([Offer("attention", "block", "acme", Block, former_owners=("old_acme",))])
    assert renamed.get("attention", "old_acme:block") is Block
    assert renamed.name_of("attention", renamed.create("attention", "old_acme:block")) == "old_acme:block"
    with pytest.raises(UnknownComponent):
        renamed.get("attention", "older:block")
    both = renamed.with_(registry("old_acme", block=Other))
    assert both.get("attention", "old_acme:block") is Other


def test_an_unknown_name_says_what_was_probably_meant() -> None:
    found = registry(self_attention=Block)
    with pytest.raises(UnknownComponent, match="did you mean 'self_attention'"):
        found.get("attention", "selfattention")
    with pytest.raises(UnknownComponent, match="there are: self_attention"):
        found.get("attention", "xyz")
    with pytest.raises(UnknownComponent, match="did you mean 'attention'"):
        found.get("attentoin", "block")
    broken = Registry([], (PluginFact("acme", status="broken", reason="boom"),))
    with pytest.raises(UnknownComponent, match="plugins acme"):
        broken.get("attention", "acme_block")


@pytest.mark.statement(101)
@given(
    name=st.one_of(st.text(max_size=20), st.sampled_from(["os:system", "builtins:eval", "torch.nn.Conv2d", "acme:os.system"]))
)
def test_nothing_but_registered_names_resolves(name: str) -> None:
    found = registry(block=Block)
    if name not in ("block", "acme:block"):
        with pytest.raises(UnknownComponent):
            found.get("attention", name)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (Thawed, "not frozen"),
        (Empty, "lacks build"),
        (Bare, "not an attrs class"),
        (3, "not a class"),
        ("no_such_module:Block", "cannot be imported"),
        (f"{__name__}:Missing", "cannot be imported"),
    ],
)
def test_what_is_no_component_is_named_when_it_is_asked_for(target: type | str, reason: str) -> None:
    with pytest.raises(BrokenPlugin, match=reason):
        registry(block=target).get("attention", "block")


def test_create_checks_options() -> None:
    assert registry(block=Block).create("attention", "block", size=5) == Block(size=5)
    with pytest.raises(RecipeError) as caught:
        registry(block=Block).create("attention", "block", size=0)
    assert "attention.block.size" in str(caught.value)
    with pytest.raises(RecipeError, match="did you mean size"):
        registry(block=Block).create("attention", "block", sise=2)


def test_a_stranger_is_offered_by_nobody() -> None:
    with pytest.raises(UnknownComponent, match="Other"):
        registry(block=Block).name_of("attention", Other())
