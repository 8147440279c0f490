"""Strict reading of options: what is refused, in which words, and that nothing is lost on the way back."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, Protocol

import attrs
import pytest
from attrs import field, frozen
from attrs.validators import and_, deep_iterable, ge, in_, instance_of, lt, min_len
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.errors import BrokenPlugin, Mistake, RecipeError, UnknownComponent
from ganblocks.options import structure, unstructure
from ganblocks.options.declare import moving, socket
from ganblocks.options.describe import describe
from ganblocks.schedules import Constant, Cosine, LinearSchedule, Moving, WarmUp
from ganblocks.testing import examples
from ganblocks.values import Player


class Part(Protocol):
    """Stands for any kind of component."""


@frozen(kw_only=True)
class Nothing:
    """A part without options."""


@frozen(kw_only=True)
class Leaf:
    """A part with one option."""

    groups: int = field(default=8, validator=ge(1))


@frozen(kw_only=True)
class Branch:
    """A part that holds another."""

    inner: Part = socket("part", default="leaf")
    scale: float = 1.0


@frozen(kw_only=True)
class Bottomless:
    """A part whose default is itself."""

    inner: Part = socket("part", default="bottomless")


@frozen(kw_only=True)
class Everything:
    """One option of each type."""

    count: int = field(default=3, validator=[instance_of(int), ge(1)])
    share: float = field(default=0.5, validator=[ge(0), lt(1)])
    bias: bool = True
    name: str = "a"
    mode: Literal["two", "one", 3] = "two"
    player: Player = Player.GENERATOR
    sizes: tuple[int, ...] = field(default=(16,), validator=min_len(1))
    betas: tuple[float, float] = field(default=(0.0, 0.9), validator=deep_iterable(and_(ge(0), lt(1))))
    limit: int | None = None
    either: int | tuple[int, ...] = 1
    shares: dict[str, float] = field(factory=dict)
    rate: Moving = moving(1e-4, above=0)
    weight: Moving | None = None
    part: Part = socket("part", default="leaf")
    _hidden: int = 0


@frozen(kw_only=True)
class Required:
    """Nothing has a default."""

    count: int
    part: Part = socket("part")


@frozen(kw_only=True)
class Spare:
    """A part that may hold another."""

    inner: Part | None = socket("part", optional=True)


@frozen(kw_only=True)
class Pair:
    """A rule about two fields, and one about the whole."""

    low: int = 0
    high: int = field(default=10)
    policy: str = field(default="a", validator=in_(("a", "b")))

    @high.validator
    def _above_low(self, attribute: attrs.Attribute[int], value: int) -> None:
        if value <= self.low:
            raise ValueError(f"'high' must be above low, {self.low}")

    def __attrs_post_init__(self) -> None:
        if self.policy == "b" and self.low == 0:
            raise ValueError("policy b needs a low")


PARTS: dict[str, type] = {"nothing": Nothing, "leaf": Leaf, "branch": Branch, "bottomless": Bottomless, "spare": Spare}
NAMES: dict[type, str] = {cls: name for name, cls in PARTS.items()}


def resolve(kind: str, name: str) -> type:
    if name not in PARTS:
        raise UnknownComponent(f"no {kind} is called {name!r}", f"there are {', '.join(PARTS)}")
    return PARTS[name]


def read(cls: type, **options: Any) -> Any:
    return structure(cls, options, "here", resolve)


def write(component: Any) -> dict[str, Any]:
    return unstructure(component, lambda kind, part: NAMES[type(part)])


def mistakes(cls: type, **options: Any) -> tuple[Mistake, ...]:
    with pytest.raises(RecipeError) as caught:
        read(cls, **options)
    return caught.value.mistakes


def test_defaults_fill_what_is_not_said() -> None:
    assert read(Everything) == Everything(part=Leaf())


integers, floats = st.integers(1, 2**62), st.floats(allow_nan=False, allow_infinity=False)
text = st.text(max_size=5)
tables = st.dictionaries(text, st.integers(), max_size=2)
bad_floats = st.sampled_from([float("nan"), float("inf"), float("-inf")])
days = st.just(date(2026, 1, 1))
nested = st.lists(st.lists(st.integers(), max_size=2), min_size=1, max_size=2)
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "count": st.one_of(floats, text, st.booleans(), st.lists(integers), tables, days, st.integers(2**63), st.none()),
    "share": st.one_of(text, st.booleans(), bad_floats, st.lists(floats), tables, days, st.integers(2**1100), st.none()),
    "bias": st.one_of(integers, floats, st.sampled_from(["true", "false", "1", 0, 1, 0.0]), st.lists(st.booleans()), tables),
    "name": st.one_of(integers, floats, st.booleans(), st.lists(text), tables, days, st.none()),
    "mode": st.one_of(st.sampled_from(["Two", "three", "3", 3.0, 1, True]), floats, st.lists(text), tables),
    "player": st.one_of(st.sampled_from(["GENERATOR", "critic", 0]), st.booleans(), tables),
    "sizes": st.one_of(integers, text, st.booleans(), st.lists(st.booleans(), min_size=1), nested, tables),
    "betas": st.one_of(floats, text, st.lists(floats, max_size=1), st.lists(floats, min_size=3), st.just(["0", "0.9"]), tables),
    "limit": st.one_of(floats, text, st.booleans(), st.lists(integers), tables),
    "either": st.one_of(floats, text, st.booleans(), st.lists(text, min_size=1), tables),
    "shares": st.one_of(integers, text, st.lists(floats), st.dictionaries(text, text, min_size=1)),
    "rate": st.one_of(text, st.booleans(), bad_floats, st.lists(floats), tables, st.just({"use": "linear", "start": "1"})),
    "weight": st.one_of(text, st.booleans(), bad_floats, st.lists(floats), tables),
    "part": st.one_of(integers, floats, st.booleans(), st.lists(text), tables, st.just({"use": 1}), st.none()),
}


@examples(200)
@given(st.sampled_from(sorted(WRONG)).flatmap(lambda key: st.tuples(st.just(key), WRONG[key])))
def test_no_confused_type_is_accepted(confusion: tuple[str, Any]) -> None:
    key, value = confusion
    found = mistakes(Everything, **{key: value})
    assert all(mistake.where.startswith(f"here.{key}") for mistake in found)
    assert all(mistake.rule and str(mistake).isprintable() for mistake in found)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", 3.0),
        ("mode", "3"),
        ("mode", True),
        ("bias", 0),
        ("bias", "true"),
        ("count", True),
        ("count", 1.0),
        ("share", "0.5"),
    ],
)
def test_equal_is_not_the_same_type(key: str, value: Any) -> None:
    (mistake,) = mistakes(Everything, **{key: value})
    assert mistake.where == f"here.{key}"


moving_values = st.one_of(
    st.floats(1e-6, 1e3).map(Constant),
    st.builds(LinearSchedule, start=st.floats(1e-6, 9), end=st.floats(1e-6, 9), images=st.none() | integers),
    st.builds(Cosine, start=st.floats(1e-6, 9), end=st.floats(1e-6, 9), images=st.none() | integers),
    st.builds(WarmUp, images=integers, then=st.builds(LinearSchedule, start=st.floats(1e-6, 9), end=st.floats(1e-6, 9))),
)
parts = st.recursive(
    st.just(Nothing()) | st.builds(Leaf, groups=integers),
    lambda inner: st.builds(Branch, inner=inner, scale=floats),
    max_leaves=4,
)
anything = st.builds(
    Everything,
    count=integers,
    share=st.floats(0, 0.99),
    bias=st.booleans(),
    name=text,
    mode=st.sampled_from(["two", "one", 3]),
    player=st.sampled_from(Player),
    sizes=st.lists(integers, min_size=1, max_size=3).map(tuple),
    betas=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    limit=st.none() | integers,
    either=integers | st.lists(integers, max_size=2).map(tuple),
    shares=st.dictionaries(text, floats, max_size=2),
    rate=moving_values,
    weight=st.none() | moving_values,
    part=parts,
    hidden=integers,
)


@pytest.mark.statement(102)
@examples(50)
@given(anything)
def test_what_is_written_reads_back_equal(component: Everything) -> None:
    assert structure(Everything, write(component), "here", resolve) == component


def test_written_options_are_complete_and_plain() -> None:
    written = write(read(Branch, inner="branch"))
    assert written == {"inner": {"use": "branch", "inner": {"use": "leaf", "groups": 8}, "scale": 1.0}, "scale": 1.0}
    assert write(Branch(inner=Nothing()))["inner"] == "nothing"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("share", 0, 0.0),
        ("rate", 1, Constant(1.0)),
        ("rate", {"use": "constant", "value": 2}, Constant(2.0)),
        ("limit", None, None),
    ],
)
def test_an_integer_is_a_number_and_nothing_else_is_converted(key: str, value: Any, expected: Any) -> None:
    result = getattr(read(Everything, **{key: value}), key)
    assert result == expected
    assert type(result) is type(expected)


def test_sockets_take_a_name_a_table_or_a_component() -> None:
    fillings = ["leaf", {"use": "leaf"}, {"use": "leaf", "groups": 8}, Leaf()]
    assert {read(Everything, part=filling).part for filling in fillings} == {Leaf()}
    assert read(Branch, inner={"use": "branch", "inner": "nothing"}).inner == Branch(inner=Nothing())


def test_an_optional_socket_is_empty_until_it_is_filled() -> None:
    assert read(Spare) == read(Spare, inner="none") == read(Spare, inner={"use": "none"}) == Spare() == Spare(inner=None)
    assert write(Spare()) == {}
    filled = Spare(inner=Spare(inner=Leaf()))
    assert read(Spare, inner={"use": "spare", "inner": "leaf"}) == filled == read(Spare, **write(filled))
    assert [mistake.where for mistake in mistakes(Spare, inner={"use": "leaf", "groups": 0})] == ["here.inner.groups"]
    (option,) = describe(Spare)
    assert (option.type, option.default) == ("part component", '"none"')


def test_a_class_is_not_a_component() -> None:
    (mistake,) = mistakes(Everything, part=Leaf)
    assert mistake.where == "here.part"


def test_schedules_nest_once() -> None:
    table = {"use": "warm_up", "images": 10, "then": {"use": "cosine", "start": 2, "end": 1}}
    assert read(Everything, rate=table).rate == WarmUp(images=10, then=Cosine(start=2.0, end=1.0))
    assert read(Everything, rate={"use": "warm_up", "images": 10, "then": 3}).rate.then == Constant(3.0)
    (mistake,) = mistakes(Everything, rate={**table, "then": table})
    assert (mistake.where, mistake.arrived) == ("here.rate.then.use", '"warm_up"')


def test_every_mistake_is_told_at_once() -> None:
    """A wrong type, a range, an unknown key, a misspelt name, and one more inside a socket."""
    found = mistakes(
        Everything, count="3", share=1.5, lerning_rate=1, part={"use": "branch", "inner": {"use": "leaf", "groups": 0}}, rate=0
    )
    assert {mistake.where: mistake.rule for mistake in found} == {
        "here.count": "must be an integer",
        "here.share": "must be below 1",
        "here.lerning_rate": "unknown key",
        "here.part.inner.groups": "must be at least 1",
        "here.rate": "must be above 0",
    }


def test_every_required_field_is_asked_for() -> None:
    found = mistakes(Required)
    assert [mistake.where for mistake in found] == ["here.count", "here.part"]
    assert all(mistake.hint for mistake in found)


def test_rules_about_two_fields_wait_until_both_can_be_read() -> None:
    assert [mistake.where for mistake in mistakes(Pair, low="x", high=-5)] == ["here.low"]
    (mistake,) = mistakes(Pair, low=5, high=5)
    assert (mistake.where, mistake.rule, mistake.arrived) == ("here.high", "must be above low, 5", "5")
    assert sorted(mistake.where for mistake in mistakes(Pair, low=20, policy="c")) == ["here.high", "here.policy"]


def test_a_rule_about_the_whole_stands_at_the_component() -> None:
    (mistake,) = mistakes(Pair, policy="b")
    assert (mistake.where, mistake.rule) == ("here", "policy b needs a low")


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("count", "3", "write it without quotes: 3"),
        ("count", 3.0, "write 3"),
        ("bias", "False", "write it without quotes: false"),
        ("bias", 1, "write true"),
        ("name", 3, 'put it in quotes: "3"'),
        ("mode", "tow", 'did you mean "two"?'),
        ("sizes", 16, "write a list: [16]"),
        ("betas", [0.9], "this list has 1"),
        ("share", "0.5", "write it without quotes: 0.5"),
        ("count", 0, "leave it out for the default, 3"),
        ("cuont", 0, "did you mean count?"),
        ("groups", 4, "it is an option of here.part"),
        ("part", "laef", "there are nothing, leaf, branch, bottomless, spare"),
        ("rate", {"use": "cosin"}, "did you mean cosine?"),
    ],
)
def test_the_likely_fix_is_told(key: str, value: Any, hint: str) -> None:
    (mistake,) = mistakes(Everything, **{key: value})
    assert mistake.hint == hint


def test_components_that_hold_themselves_end_in_a_mistake() -> None:
    (mistake,) = mistakes(Branch, inner="bottomless")
    assert mistake.rule == "components must not nest deeper than 32"


def test_what_arrives_is_shown_without_its_control_characters() -> None:
    (mistake,) = mistakes(Everything, **{"\x1b[31m\u202e": "\x07" * 10_000})
    assert str(mistake).isprintable()
    assert len(str(mistake)) < 500


def test_a_type_that_no_recipe_can_fill_is_the_plugins_fault() -> None:
    @frozen(kw_only=True)
    class Odd:
        callback: set[int]

    PARTS["odd"] = Odd
    try:
        (mistake,) = mistakes(Branch, inner={"use": "odd", "callback": 1})
    finally:
        del PARTS["odd"]
    assert mistake.where == "here.inner.use"
    with pytest.raises(BrokenPlugin, match="set"):
        read(Odd, callback=1)


def test_validators_of_a_length_say_items() -> None:
    (mistake,) = mistakes(Everything, sizes=[])
    assert mistake.rule == "must have at least 1 items"
    assert [m.rule for m in mistakes(Everything, betas=[0.0, 1.5])] == ["must be below 1"]
