"""Classes by name: what a run keeps of them, and which one a user means."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.errors import UsageError
from ganblocks.testing import examples
from ganblocks.training.classes import (
    also_meant,
    class_number,
    classes_without_images,
    count_classes,
    counts_of,
    differing,
    listed,
    names_of,
    plain,
    recorded_classes,
)
from ganblocks.values import ClassCount, Images, ImageSpec

APES = ImageSpec(3, 8, classes=4, class_names=("grape", "ape", "Apes", "Tape measure"))
TEN = ImageSpec(3, 8, classes=10, class_names=tuple(sorted(map(str, range(1, 11)))))
NAMES = st.lists(st.text(min_size=1, max_size=6) | st.integers(0, 30).map(str), min_size=1, max_size=12, unique=True)


@pytest.mark.parametrize(
    ("text", "expected"), [("ape", 1), ("APE", 1), ("Ape", 1), ("apes", 2), ("grap", 0), ("MEASURE", 3), ("3", 3)]
)
def test_a_class_is_meant_by_its_whole_name_or_else_by_a_part_of_it(text: str, expected: int) -> None:
    assert class_number(text, APES) == expected


def test_a_whole_name_in_the_same_case_goes_before_one_in_another() -> None:
    image = ImageSpec(3, 8, classes=3, class_names=("US", "us", "bus"))
    assert [class_number(text, image) for text in ("US", "us")] == [0, 1]
    with pytest.raises(UsageError, match=r"^class Us: several classes match: 0 US, 1 us; name one of them$"):
        class_number("Us", image)


@given(NAMES)
def test_a_whole_name_wins_over_every_number(names: list[str]) -> None:
    image = ImageSpec(3, 8, classes=len(names), class_names=tuple(names))
    assert [class_number(name, image) for name in names] == list(range(len(names)))


def test_classes_that_are_called_by_numbers_are_meant_by_these() -> None:
    """Folder "1" and not the second, which is "10"."""
    assert [class_number(str(number), TEN) for number in range(1, 11)] == [0, 2, 3, 4, 5, 6, 7, 8, 9, 1]
    assert class_number("01", TEN) == 0
    for text in ("0", "11", "-1"):
        with pytest.raises(UsageError, match=rf"^class {text}: no class has that name; .* 0 to 9 \(0 1, 1 10, 2 2"):
            class_number(text, TEN)
    padded = ImageSpec(3, 8, classes=3, class_names=("01", "02", "10"))
    assert [class_number(text, padded) for text in ("1", "2", "02", "10")] == [0, 1, 1, 2]
    both = ImageSpec(3, 8, classes=3, class_names=("01", "1", "x"))
    assert [class_number(text, both) for text in ("01", "1")] == [0, 1]
    with pytest.raises(UsageError, match="several classes match: 0 01, 1 1"):
        class_number("001", both)


def test_a_number_is_a_place_where_names_are_none_and_never_part_of_a_name() -> None:
    image = ImageSpec(3, 8, classes=3, class_names=("n01440764", "n01443537", "n2"))
    assert [class_number(text, image) for text in ("0", "2", "n2", "n01440")] == [0, 2, 2, 0]
    with pytest.raises(UsageError, match=r"^no class 443: there are classes 0 to 2 \(0 n01440764, 1 n01443537, 2 n2\)$"):
        class_number("443", image)


def test_what_else_a_number_may_have_meant_is_said() -> None:
    assert also_meant("1", 0, TEN) == "class 1 is the class of that name, number 0; for number 1 write --class 10"
    assert also_meant("10", 1, TEN) == ""
    assert also_meant("ape", 1, APES) == also_meant("3", 3, APES) == ""


NEARLY = st.text() | st.from_regex(r"-{0,3}\d{1,4}", fullmatch=True)


@given(NEARLY | st.sampled_from(["²", "--5", "-", "٣", "9" * 5000, ""]))
def test_whatever_is_no_class_is_a_user_s_mistake(text: str) -> None:
    """A number in any writing but 0 to 9 is a name."""
    for image in (APES, TEN, ImageSpec(3, 8, classes=4), ImageSpec(3, 8)):
        named = [k for k, name in enumerate(image.class_names) if text.casefold() in name.casefold()]
        with suppress(UsageError):
            assert class_number(text, image) in named or re.fullmatch(r"-?[0-9]+", text)


@pytest.mark.parametrize("text", ["0", "ape", ""])
def test_where_there_are_no_classes_that_is_what_is_said(text: str) -> None:
    with pytest.raises(UsageError, match=rf"^class {text}: this generator has no classes; leave the class out$"):
        class_number(text, ImageSpec(3, 8))


def test_classes_without_names_are_said_by_number() -> None:
    with pytest.raises(UsageError, match=r"^class ape: no class has that name; there are classes 0 to 3$"):
        class_number("ape", ImageSpec(3, 8, classes=4))


def test_of_many_classes_a_message_lists_some() -> None:
    names = tuple(f"class{number}" for number in range(1000))
    assert listed(ImageSpec(3, 8, 1000, names)).endswith("19 class19 and 980 more)")


COUNTED = st.lists(st.builds(ClassCount, st.text(), st.none() | st.integers(0, 10**6)), min_size=1, max_size=9)


@examples(50)
@given(COUNTED)
def test_a_provenance_keeps_classes(classes: list[ClassCount]) -> None:
    facts = json.loads(json.dumps({"classes": plain(classes)}))
    assert recorded_classes(facts, ImageSpec(3, 8, len(classes))) == recorded_classes(facts, None) == tuple(classes)


UNNAMED, NAMED = ImageSpec(3, 8, 2), ImageSpec(3, 8, 2, ("a", "b"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.sampled_from(["name", "count", "x"]), part),
    max_leaves=8,
)


@examples(60)
@given(JSON | st.fixed_dictionaries({"classes": JSON}) | st.lists(JSON).map(lambda part: {"classes": part}))
def test_a_provenance_of_anybody_s_names_nothing_wrong(facts: Any) -> None:
    """Another number of classes, other types, nothing at all: the data set's own names hold, if it has some."""
    assert names_of(recorded_classes(facts, UNNAMED)) == ()
    assert names_of(recorded_classes(facts, NAMED)) == ("a", "b")


def test_a_class_without_a_count_leaves_all_counts_unknown() -> None:
    classes = (ClassCount("a", 3), ClassCount("b", None))
    assert counts_of(classes) == ()
    assert counts_of(classes[:1]) == (3,)
    assert names_of((*classes, ClassCount("", 2))) == ()


def opened(train: list[int], held_out: list[int], names: tuple[str, ...] = ()) -> Images:
    labels = torch.tensor(train + held_out)
    split = {"train": torch.arange(len(train)), "held_out": torch.arange(len(train), len(labels))}
    return Images(lambda index: index, labels, "", split, names)


def test_counts_are_of_training_images() -> None:
    image = ImageSpec(3, 8, 4, ("a", "b", "c", "d"))
    counted = count_classes(image, opened([0, 0, 2, 0], [1, 2, 2]))
    assert [(each.name, each.count) for each in counted] == [("a", 3), ("b", 0), ("c", 1), ("d", 0)]
    assert [each.name for each in count_classes(ImageSpec(3, 8, 2), opened([0, 1], [], ("x", "y")))] == ["x", "y"]
    assert count_classes(ImageSpec(3, 8), opened([0, 0], [0])) == ()
    assert classes_without_images(counted).startswith(
        "no training images of 1 b, 3 d: samples of these classes will be meaningless"
    )
    assert classes_without_images(counted[:1]) == ""


def test_names_that_differ_are_told() -> None:
    assert differing(("a", "b"), ("a", "b")) == differing((), ("a",)) == differing(("a",), ()) == ""
    assert (
        differing(("a", "b"), ("b", "a", "c"))
        == "class 0 was a and is b, class 1 was b and is a, there were 2 classes and are 3"
    )
