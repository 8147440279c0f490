from __future__ import annotations

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
        largest = max(sum(key == other for other, _ in members) for key in keys)
        assert round(len(members) / 10) <= held < round(len(members) / 10) + largest


@RARELY
@given(NAMES, NAMES, st.floats(0, 0.5))
def test_by_name_never_moves_what_is_there(names: list[str], later: list[str], share: float) -> None:
    assert torch.equal(by_name(names + later, share)[: len(names)], by_name(names, share))


def test_by_name_holds_about_its_share() -> None:
    names = [f"cats/{number}.png" for number in range(4000)]
    assert not by_name(names, 0.0).any()
    small, large = by_name(names, 0.1), by_name(names, 0.5)
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
