"""Classes by name: what a run folder keeps of them, and which one a user means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ganblocks.errors import DataError, UsageError
from ganblocks.kinds.component_capabilities import Inspects
from ganblocks.kinds.dataset import Dataset
from ganblocks.values import ClassCount, Images, ImageSpec

LISTED = 20
"""Classes that a message lists."""


def count_classes(image: ImageSpec, images: Images) -> tuple[ClassCount, ...]:
    """Every class of an opened data set with its training images."""
    counts = images.labels[images.split["train"]].bincount(minlength=image.classes).tolist() if image.classes else []
    names = images.class_names or image.class_names or ("",) * image.classes
    return tuple(ClassCount(name, counts[number]) for number, name in enumerate(names))


def classes_at_hand(dataset: Dataset) -> tuple[ClassCount, ...]:
    """Every class of a data set that need not be there, without opening it: names and counts as far as they can be had."""
    image = dataset.describe()
    found: tuple[ClassCount, ...] = ()
    if isinstance(dataset, Inspects):
        with suppress(DataError):
            found = tuple(dataset.count())
    return found if len(found) == image.classes else tuple(ClassCount(name, None) for name in image.class_names)


def plain(classes: Sequence[ClassCount]) -> list[dict[str, Any]]:
    """As provenance.json keeps them."""
    return [{"name": each.name, "count": each.count} for each in classes]


def recorded_classes(facts: Any, image: ImageSpec | None) -> tuple[ClassCount, ...]:
    """The classes that a provenance keeps; without any (older runs, other hands) those that the data set names by itself.

    ``image`` is None where that is not known.
    """
    listed = facts.get("classes") if isinstance(facts, Mapping) else None
    fits = isinstance(listed, list) and all(map(_is_class, listed)) and (image is None or len(listed) == image.classes)
    if fits and listed:
        return tuple(ClassCount(each["name"], each.get("count")) for each in listed)
    return () if image is None else tuple(ClassCount(name, None) for name in image.class_names)


def _is_class(each: Any) -> bool:
    if not isinstance(each, Mapping) or not isinstance(each.get("name"), str):
        return False
    count = each.get("count")
    return count is None or (type(count) is int and count >= 0)


def names_of(classes: Sequence[ClassCount]) -> tuple[str, ...]:
    """The names, where every class has one; else none."""
    names = tuple(each.name for each in classes)
    return names if all(names) else ()


def counts_of(classes: Sequence[ClassCount]) -> tuple[int, ...]:
    """The training images of each class; empty where one is unknown."""
    counts = tuple(each.count for each in classes if each.count is not None)
    return counts if len(counts) == len(classes) else ()


def untrained(classes: Sequence[ClassCount]) -> str:
    """What is wrong with classes that have no image to train on; empty where all have some."""
    empty = [f"{number} {each.name}".strip() for number, each in enumerate(classes) if each.count == 0]
    if not empty:
        return ""
    return f"no training images of {_some(empty)}: what is drawn of them later was never trained; add images, or fewer classes"


def differing(before: Sequence[str], now: Sequence[str]) -> str:
    """What two lists of names call differently, in words; empty where they agree, or where one is not known."""
    if not (before and now):
        return ""
    found = [f"class {k} was {a} and is {b}" for k, (a, b) in enumerate(zip(before, now, strict=False)) if a != b]
    if len(before) != len(now):
        found.append(f"there were {len(before)} classes and are {len(now)}")
    return _some(found)


def class_number(text: str, image: ImageSpec) -> int:
    """The class that a user means: by its whole name, then but for upper and lower case, then by a part, then by number.

    A number is never part of a name: ImageNet's 443 is not n01443537. Where classes are called by numbers, theirs count, and
    not their places.

    Raises:
        UsageError: there is no such class, or several.

    """
    if not image.classes:
        raise UsageError(f"class {text}: this generator has no classes; leave the class out")
    number = int(text) if _is_number(text) else None
    found = _named(text, number, image.class_names)
    if len(found) > 1:
        raise UsageError(f"class {text}: several classes have that name: {_some([told(k, image) for k in found])}; say which")
    if found:
        return found[0]
    if number is None or (image.class_names and all(map(_is_number, image.class_names))):
        raise UsageError(f"class {text}: no class has that name; {listed(image)}")
    return checked(number, image)


def checked(number: int, image: ImageSpec) -> int:
    """A class's number. Raises UsageError, with all names, where there is no such class."""
    if not 0 <= number < image.classes:
        raise UsageError(f"no class {number}: {listed(image)}")
    return number


def also_meant(text: str, number: int, image: ImageSpec) -> str:
    """What else a user may have meant by a number that is a class's name; empty where it can mean one class only."""
    if not _is_number(text) or int(text) == number or not 0 <= int(text) < image.classes:
        return ""
    other = image.class_names[int(text)]
    return f"class {text} is the class of that name, number {number}; for number {int(text)} write --class {other}"


def listed(image: ImageSpec) -> str:
    """The classes that there are, in words."""
    names = [told(number, image) for number in range(image.classes)] if image.class_names else []
    return f"there are classes 0 to {image.classes - 1}" + (f" ({_some(names)})" if names else "")


def told(number: int, image: ImageSpec) -> str:
    """A class by its number, and its name where it has one."""
    return f"{number} {image.class_names[number]}" if image.class_names else str(number)


def _some(words: Sequence[str]) -> str:
    more = len(words) - LISTED
    return ", ".join(words[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _is_number(text: str) -> bool:
    """Of 0 to 9 only, and no longer than numbers of classes are."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18


def _named(text: str, number: int | None, names: Sequence[str]) -> list[int]:
    """Those that are called so, or else those that are but for case or leading zeros, or else those that have it in them."""
    exact = [k for k, name in enumerate(names) if name == text]
    if exact:
        return exact
    if number is not None:
        return [k for k, name in enumerate(names) if _is_number(name) and int(name) == number]
    alike = [k for k, name in enumerate(names) if name.casefold() == text.casefold()]
    return alike or [k for k, name in enumerate(names) if text.casefold() in name.casefold()]
