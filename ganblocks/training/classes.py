"""Classes by name: what a run records of them, and which one a user means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ganblocks.errors import DataError, UsageError
from ganblocks.kinds.component_capabilities import Inspects
from ganblocks.kinds.dataset import Dataset
from ganblocks.values import ClassCount, Images, ImageSpec

LISTED = 20
"""Most classes that a message lists."""


def count_classes(image: ImageSpec, images: Images) -> tuple[ClassCount, ...]:
    """Return the classes of an opened data set with their numbers of training images."""
    counts = images.labels[images.split["train"]].bincount(minlength=image.classes).tolist() if image.classes else []
    names = images.class_names or image.class_names or ("",) * image.classes
    return tuple(ClassCount(name, counts[number]) for number, name in enumerate(names))


def classes_at_hand(dataset: Dataset) -> tuple[ClassCount, ...]:
    """Return the classes of a data set without opening it, with names and counts if they are available."""
    image = dataset.describe()
    counted: tuple[ClassCount, ...] = ()
    if isinstance(dataset, Inspects):
        with suppress(DataError):
            counted = tuple(dataset.count())
    return counted if len(counted) == image.classes else tuple(ClassCount(name, None) for name in image.class_names)


def plain(classes: Sequence[ClassCount]) -> list[dict[str, Any]]:
    """Return classes as provenance.json keeps them."""
    return [{"name": item.name, "count": item.count} for item in classes]


def recorded_classes(facts: Any, image: ImageSpec | None) -> tuple[ClassCount, ...]:
    """Return the classes of a provenance; if it has none, those that the data set itself names (``image``, None: unknown)."""
    listed = facts.get("classes") if isinstance(facts, Mapping) else None
    fits = isinstance(listed, list) and all(map(_is_class, listed)) and (image is None or len(listed) == image.classes)
    if fits and listed:
        return tuple(ClassCount(item["name"], item.get("count")) for item in listed)
    return () if image is None else tuple(ClassCount(name, None) for name in image.class_names)


def _is_class(item: Any) -> bool:
    if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
        return False
    count = item.get("count")
    return count is None or (type(count) is int and count >= 0)


def names_of(classes: Sequence[ClassCount]) -> tuple[str, ...]:
    """Return the names of classes; empty if one has none."""
    names = tuple(item.name for item in classes)
    return names if all(names) else ()


def counts_of(classes: Sequence[ClassCount]) -> tuple[int, ...]:
    """Return the training images of each class; empty if one is unknown."""
    counts = tuple(item.count for item in classes if item.count is not None)
    return counts if len(counts) == len(classes) else ()


def classes_without_images(classes: Sequence[ClassCount]) -> str:
    """Return a warning about classes without training images; empty if there are none."""
    empty = [f"{number} {item.name}".strip() for number, item in enumerate(classes) if item.count == 0]
    if not empty:
        return ""
    return (
        f"no training images of {_some(empty)}: samples of these classes will be meaningless; add images, or remove the classes"
    )


def differing(before: Sequence[str], now: Sequence[str]) -> str:
    """Return how two lists of class names differ, in words; empty if they agree or one is unknown."""
    if not (before and now):
        return ""
    changes = [f"class {k} was {a} and is {b}" for k, (a, b) in enumerate(zip(before, now, strict=False)) if a != b]
    if len(before) != len(now):
        changes.append(f"there were {len(before)} classes and are {len(now)}")
    return _some(changes)


def class_number(text: str, image: ImageSpec) -> int:
    """Return the class that a user means: by its name, its name in another case, a part of its name, or its number.

    A number never matches a part of a name: ImageNet's 443 is not n01443537. If classes are named by numbers, the names count.

    Raises:
        UsageError: there is no such class, or several.

    """
    if not image.classes:
        raise UsageError(f"class {text}: this generator has no classes; leave the class out")
    number = int(text) if _is_number(text) else None
    matches = _matches(text, number, image.class_names)
    if len(matches) > 1:
        raise UsageError(f"class {text}: several classes match: {_some([titled(k, image) for k in matches])}; name one of them")
    if matches:
        return matches[0]
    if number is None or (image.class_names and all(map(_is_number, image.class_names))):
        raise UsageError(f"class {text}: no class has that name; {listed(image)}")
    return checked(number, image)


def checked(number: int, image: ImageSpec) -> int:
    """Return a class's number. Raise UsageError, listing the classes, if there is no such class."""
    if not 0 <= number < image.classes:
        raise UsageError(f"no class {number}: {listed(image)}")
    return number


def also_meant(text: str, number: int, image: ImageSpec) -> str:
    """Return a note if a number that is a class's name could also mean another class; else empty."""
    if not _is_number(text) or int(text) == number or not 0 <= int(text) < image.classes:
        return ""
    other = image.class_names[int(text)]
    return f"class {text} is the class of that name, number {number}; for number {int(text)} write --class {other}"


def listed(image: ImageSpec) -> str:
    """Return the classes in words, with their names if they have any."""
    names = [titled(number, image) for number in range(image.classes)] if image.class_names else []
    return f"there are classes 0 to {image.classes - 1}" + (f" ({_some(names)})" if names else "")


def titled(number: int, image: ImageSpec) -> str:
    """Return a class's number, with its name if it has one."""
    return f"{number} {image.class_names[number]}" if image.class_names else str(number)


def _some(items: Sequence[str]) -> str:
    more = len(items) - LISTED
    return ", ".join(items[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _is_number(text: str) -> bool:
    """Return whether a text is a decimal number of at most 18 digits."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 18


def _matches(text: str, number: int | None, names: Sequence[str]) -> list[int]:
    """Return exact matches; else those up to case or leading zeros; else those that contain the text."""
    exact = [k for k, name in enumerate(names) if name == text]
    if exact:
        return exact
    if number is not None:
        return [k for k, name in enumerate(names) if _is_number(name) and int(name) == number]
    alike = [k for k, name in enumerate(names) if name.casefold() == text.casefold()]
    return alike or [k for k, name in enumerate(names) if text.casefold() in name.casefold()]
