"""Options as data: what ``option`` declares holds in Python and in recipes alike, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import Factory, field, frozen
from attrs.validators import and_, deep_iterable, ge, gt, in_, matches_re, max_len, min_len, not_, optional
from hypothesis import given
from hypothesis import strategies as st

import ganblocks
from ganblocks import Constant, LinearSchedule, Moving, OptionError, RecipeError, moving, option
from ganblocks.options import structure
from ganblocks.options.describe import describe
from ganblocks.options.docs import option_docs, plain_text, summary_of
from ganblocks.options.fields import types_of
from ganblocks.options.limits import Limits, limits_of
from ganblocks.testing import examples
from ganblocks.testing.strategies import components


@frozen(kw_only=True)
class Everything:
    """One option of each form.

    Options:
        width: channels.
        mode, other: how values
            are ``combined``.
    """

    width: int = option(64, low=1)
    eps: float = option(1e-5, above=0, below=1)
    mode: Literal["sum", "mean"] = option("sum")
    other: Literal["sum", "mean"] | None = option(None)
    bias: bool = option(True)
    head: int | None = option(None, low=1, high=8)
    betas: tuple[float, float] = option((0.0, 0.9), low=0, below=1)
    sizes: tuple[int, ...] = option((4,), above=0, min_items=1)
    policy: tuple[Literal["color", "cutout"], ...] = option(("color",))
    either: int | tuple[int, ...] = option(1, low=1)
    shares: dict[str, float] = option(Factory(dict), high=1)
    folder: Path = option(Path("x"), doc="where it is.")
    rate: Moving = moving(1.0, above=0, below=10)
    even: int = option(2, validator=not_(in_((1, 3))))
    plain: int = 1
    """A string below the field."""

    @width.validator
    def _fits(self, attribute: attrs.Attribute[int], value: int) -> None:
        if self.plain > value:
            raise OptionError("must not be below plain", "lower plain")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("width", 0, "'width' must be at least 1 (got 0)"),
        ("width", True, "'width' must be an integer (got true)"),
        ("width", 2.0, "'width' must be an integer (got 2.0); write 2"),
        ("width", "3", "'width' must be an integer (got \"3\"); write it without quotes: 3"),
        ("eps", 0, "'eps' must be above 0 (got 0)"),
        ("eps", float("nan"), "'eps' must be a finite number (got nan)"),
        ("mode", "men", '\'mode\' must be "sum" or "mean" (got "men"); did you mean "mean"?'),
        ("bias", 1, "'bias' must be true or false (got 1); write true"),
        ("head", 9, "'head' must be at most 8 (got 9)"),
        ("betas", (0.0, 1), "'betas' must be below 1 (got 1)"),
        ("betas", [0.0, 0.5], "'betas' must be a tuple (got [0.0, 0.5])"),
        ("betas", (0.5,), "'betas' must be a list of 2 numbers (got [0.5]); this list has 1"),
        ("sizes", (), "'sizes' must have at least 1 items (got [])"),
        ("sizes", (0,), "'sizes' must be above 0 (got 0)"),
        ("policy", ("colour",), '\'policy\' must be "color" or "cutout" (got "colour"); did you mean "color"?'),
        ("either", 0, "'either' must be at least 1 (got 0)"),
        ("either", (1, 0), "'either' must be at least 1 (got 0)"),
        ("shares", {"a": 2}, "'shares' must be at most 1 (got 2)"),
        ("rate", 0, "'rate' must be above 0 (got 0)"),
        ("rate", LinearSchedule(start=1, end=10), "'rate' must be below 10"),
    ],
)
def test_a_wrong_value_is_refused_in_python_and_in_a_recipe(name: str, value: Any, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        Everything(**{name: value})
    assert str(caught.value).startswith(words)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)
    if not words.endswith("must be a tuple (got [0.0, 0.5])"):
        with pytest.raises(RecipeError) as refused:
            structure(Everything, {name: value}, "", lambda kind, name: type)
        (mistake,) = refused.value.mistakes
        assert caught.value.rule == mistake.rule
        assert mistake.where.startswith(name)


def test_a_rule_between_options_has_its_hint() -> None:
    with pytest.raises(RecipeError) as refused:
        structure(Everything, {"width": 2, "plain": 3}, "", lambda kind, name: type)
    (mistake,) = refused.value.mistakes
    assert (mistake.where, mistake.rule, mistake.hint) == ("width", "must not be below plain", "lower plain")
    with pytest.raises(OptionError, match="must not be below plain; lower plain"):
        Everything(width=2, plain=3)


def test_values_in_python_are_not_converted() -> None:
    made = Everything(eps=0.5, rate=2, folder=Path("y"), either=(1, 2))  # type: ignore[arg-type]  # converted
    assert (made.rate, made.folder, made.either) == (Constant(2), Path("y"), (1, 2))
    with pytest.raises(OptionError, match="'folder' must be"):
        Everything(folder="y")  # type: ignore[arg-type]


@examples(50)
@given(components(Everything, ganblocks.discover()))
def test_strategies_draw_within_the_limits(component: Everything) -> None:
    assert attrs.evolve(component) == component


def test_what_show_says() -> None:
    facts = {fact.name: (fact.type, fact.default, fact.range, fact.doc) for fact in describe(Everything)}
    assert facts["width"] == ("an integer", "64", "at least 1", "channels.")
    assert facts["eps"] == ("a number", "1e-05", "above 0 and below 1", "")
    assert facts["mode"] == ('"sum" or "mean"', '"sum"', "", "how values are combined.")
    assert facts["other"][3] == facts["mode"][3]
    assert facts["betas"][2] == "each at least 0 and below 1"
    assert facts["sizes"][2] == "at least 1 items and each above 0"
    assert facts["policy"][2] == 'each one of "color" or "cutout"'
    assert facts["folder"][3] == "where it is."
    assert facts["plain"][3] == "A string below the field."
    assert option_docs(Everything).keys() == {"width", "mode", "other", "folder", "plain"}


@frozen
class Attrs:
    """A stranger's component."""

    several: int = field(default=2, validator=and_(ge(1), gt(1)))
    members: tuple[float, ...] = field(default=(), validator=deep_iterable(ge(0), min_len(0)))
    perhaps: str | None = field(default=None, validator=optional(in_(("a", "b"))))
    inverted: int = field(default=0, validator=not_(ge(1)))
    pattern: str = field(default="a", validator=matches_re("a+"))
    short: str = field(default="a", validator=max_len(2))


def test_attrs_own_validators_are_read_as_limits() -> None:
    fields = attrs.fields_dict(Attrs)
    assert limits_of(fields["several"]) == Limits(low=1, above=1)
    assert limits_of(fields["members"]) == Limits(low=0)
    assert limits_of(fields["perhaps"]) == Limits(choices=("a", "b"))
    assert limits_of(fields["inverted"]) == limits_of(fields["pattern"]) == limits_of(fields["short"]) == Limits()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("inverted", 1, "not_"),
        ("pattern", "b", "must match regex"),
        ("short", "abc", "must be <= 2"),
        ("perhaps", "c", '"a" or "b"'),
    ],
)
def test_attrs_own_validators_refuse(name: str, value: Any, words: str) -> None:
    with pytest.raises(RecipeError, match=words) as refused:
        structure(Attrs, {name: value}, "", lambda kind, name: type)
    assert [mistake.where for mistake in refused.value.mistakes] == [name]


@given(st.text(st.characters(blacklist_characters=":`"), max_size=20))
def test_text_without_markup_stays(text: str) -> None:
    assert plain_text(text) == text


def test_summaries_are_read_without_import() -> None:
    assert summary_of("ganblocks.schedules:Constant") == summary_of(Constant) == "A constant value."
    assert summary_of("absent.module:Class") == summary_of("ganblocks.schedules:Absent") == ""
    assert {type(expected).__name__ for expected in types_of(Everything).values()} >= {"Plain", "Choice", "ListOf", "OneOf"}
