from __future__ import annotations

import hashlib

import torch
from ganblocks_data.memory import in_memory
from ganblocks_data.splits import by_name, tenth
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.testing import examples

RARELY = examples(25)
NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=80, unique=True)


@RARELY
@given(NAMES, st.integers(1, 4), st.randoms(use_true_random=False))
def test_tenth_does_not_depend_on_the_order(names: list[str], classes: int, random: object) -> None:
    labels = [len(name) % classes for name in names]
    held = {name for name, out in zip(names, tenth(names, labels), strict=True) if out}
    shuffled = sorted(names, key=lambda _: random.random())
    again = tenth(shuffled, [len(name) % classes for name in shuffled])
    assert {name for name, out in zip(shuffled, again, strict=True) if out} == held


@RARELY
@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 3))
def test_tenth_keeps_equal_keys_together_and_holds_a_tenth_of_every_class(numbers: list[int], classes: int) -> None:
    labels = [number % classes for number in numbers]
    keys = [str(number) for number in numbers]
    held_out = tenth(keys, labels)
    for key in set(keys):
        assert len({bool(out) for out, other in zip(held_out, keys, strict=True) if other == key}) == 1
    for label in set(labels):
        members = [(key, bool(out)) for key, out, other in zip(keys, held_out, labels, strict=True) if other == label]
        held = sum(out for _, out in members)
        sizes = [sum(key == other for other, _ in members) for key in {key for key, _ in members}]
        wanted = round(len(members) / 10)
        assert held < wanted + max(sizes)
        assert held >= wanted or any(held + size == len(members) for size in sizes), "or a class would be held out whole"


@RARELY
@given(NAMES, NAMES, st.integers(1, 4), st.floats(0, 0.5))
def test_by_name_never_moves_what_is_there(names: list[str], later: list[str], classes: int, share: float) -> None:
    """But for the one image that a class kept because all of it would have been held out."""
    labels = [len(name) % classes for name in names + later]
    before, after = by_name(names, labels[: len(names)], share), by_name(names + later, labels, share)[: len(names)]
    moved = {labels[index] for index in torch.nonzero(before != after).flatten().tolist()}
    for label in moved:
        mine = [index for index in range(len(names)) if labels[index] == label]
        assert sum(hashed(names[index]) >= share for index in mine) == 0
        assert int((before != after)[mine].sum()) == 1


def hashed(name: str) -> float:
    return int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:13], 16) / 16**13


@RARELY
@given(NAMES, st.integers(1, 40), st.floats(0, 0.5))
def test_by_name_leaves_every_class_something_to_train_on_and_nothing_else_changes(
    names: list[str], classes: int, share: float
) -> None:
    labels = [len(names[index]) * index % classes for index in range(len(names))]
    held_out = by_name(names, labels, share)
    by_hash = torch.tensor([hashed(name) < share for name in names])
    for label in set(labels):
        mine = torch.tensor([other == label for other in labels])
        if by_hash[mine].all():
            assert int((~held_out[mine]).sum()) == 1
            kept = names[int(torch.nonzero(mine & ~held_out))]
            assert hashed(kept) == max(hashed(name) for name, is_mine in zip(names, mine, strict=True) if is_mine)
        else:
            assert torch.equal(held_out[mine], by_hash[mine])


@RARELY
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 3))
def test_tenth_leaves_every_class_something_to_train_on(numbers: list[int], classes: int) -> None:
    """Also where one drawing is all that a class has."""
    labels = [number % classes for number in numbers]
    held_out = tenth([str(number) for number in numbers], labels)
    assert {label for label, out in zip(labels, held_out, strict=True) if not out} == set(labels)


def test_by_name_holds_about_its_share() -> None:
    names = [f"cats/{number}.png" for number in range(4000)]
    labels = [0] * len(names)
    assert not by_name(names, labels, 0.0).any()
    small, large = by_name(names, labels, 0.1), by_name(names, labels, 0.5)
    assert abs(small.float().mean() - 0.1) < 0.02
    assert abs(large.float().mean() - 0.5) < 0.03
    assert large[small].all(), "a larger share holds out more, not others"


def test_fingerprint_sees_pixels_labels_split_and_shape() -> None:
    pixels, labels, held_out = (
        torch.zeros(4, 1, 2, 8, dtype=torch.uint8),
        torch.zeros(4, dtype=torch.long),
        torch.zeros(4).bool(),
    )
    other_pixels, other_labels, other_split = pixels.clone(), labels.clone(), held_out.clone()
    other_pixels[3, 0, 1, 7] = 1
    other_labels[0] = 1
    other_split[2] = True
    prints = [
        in_memory(pixels, labels, held_out).fingerprint,
        in_memory(other_pixels, labels, held_out).fingerprint,
        in_memory(pixels, other_labels, held_out).fingerprint,
        in_memory(pixels, labels, other_split).fingerprint,
        in_memory(pixels.view(4, 1, 4, 4), labels, held_out).fingerprint,
    ]
    assert len(set(prints)) == 5
    assert in_memory(pixels.clone(), labels.clone(), held_out.clone()).fingerprint == prints[0]
