"""Maps as bytes, as a run keeps them and a page shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganblocks.training.map_files import FOLDER, ByteMaps, Moment, read_moments, reduction, write_moment

SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))


def maps_of(seed: int, batch: int, heads: int, queries: tuple[int, int], keys: tuple[int, int]) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return (4 * torch.randn(batch, heads, queries[0] * queries[1], keys[0] * keys[1], generator=rng)).softmax(-1)


@given(st.integers(0, 99), st.integers(1, 3), st.integers(1, 2), SIDES, SIDES)
def test_bytes_are_within_half_a_step_of_the_map(
    seed: int, batch: int, heads: int, queries: tuple[int, int], keys: tuple[int, int]
) -> None:
    attention = maps_of(seed, batch, heads, queries, keys)
    kept = ByteMaps.of(attention, queries, keys)
    assert (kept.step, kept.pooled) == (1, 1)
    assert (kept.attention - attention).abs().le(attention.amax(-1, keepdim=True) * (0.5 / 255 + 1e-6)).all()


@given(st.integers(1, 40), SIDES, SIDES, st.integers(1, 4), st.integers(1, 4), st.integers(1_000, 1 << 20))
def test_large_maps_are_made_smaller(
    copies: int, queries: tuple[int, int], keys: tuple[int, int], more: int, finer: int, budget: int
) -> None:
    """Down to few queries, and to 8 × 8 keys where their grid can be halved: then nothing smaller would be a map any more."""
    queries, keys = (queries[0] * 2**more, queries[1] * 2**more), (keys[0] * 2**finer, keys[1] * 2**finer)
    step, pooled = reduction(copies, queries, keys, budget)
    rows = -(-queries[0] // step) * -(-queries[1] // step)
    size = copies * rows * (keys[0] // pooled) * (keys[1] // pooled)
    assert keys[0] % pooled == keys[1] % pooled == 0
    if size > budget:
        assert max(queries) // (2 * step) < 2
    if copies * queries[0] * queries[1] * keys[0] * keys[1] <= budget:
        assert (step, pooled) == (1, 1)


def test_a_reduced_map_has_every_second_query_and_the_sums_of_keys() -> None:
    """64×32 queries and 32×16 keys: the rows that are kept are those of every step-th query, and still sum to 1."""
    queries, keys = (64, 32), (32, 16)
    attention = maps_of(0, 1, 1, queries, keys)
    kept = ByteMaps.of(attention, queries, keys, budget=40_000)
    assert kept.step == 4
    assert kept.pooled == 2
    assert kept.keys == (16, 8)
    row, column = 12, 20  # of the grid of all queries
    number = row // 4 * (32 // 4) + column // 4
    expected = attention[0, 0, row * 32 + column].view(16, 2, 8, 2).sum((1, 3)).flatten()
    assert torch.allclose(kept.attention[0, 0, number], expected, atol=float(expected.max()) / 255)


def moment(images_seen: int = 64) -> Moment:
    image = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    maps = {"generator.block1": ByteMaps.of(maps_of(1, 2, 2, (4, 6), (2, 3)), (4, 6), (2, 3))}
    return Moment(images_seen, {"generator": image}, {"generator": [0, 3]}, maps)


def test_a_moment_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = [moment(64), moment(128)]
    for one in reversed(written):
        write_moment(tmp_path, one)
    for one, read in zip(written, read_moments(tmp_path), strict=True):
        assert (read.images_seen, read.labels) == (one.images_seen, one.labels)
        assert torch.equal(read.images["generator"], one.images["generator"])
        mine, theirs = one.maps["generator.block1"], read.maps["generator.block1"]
        assert torch.equal(mine.rows, theirs.rows)
        assert torch.equal(mine.largest, theirs.largest)
        assert (mine.queries, mine.keys, mine.step, mine.pooled) == (theirs.queries, theirs.keys, theirs.step, theirs.pooled)


def test_without_maps_nothing_is_written(tmp_path: Path) -> None:
    write_moment(tmp_path, Moment(0, {}, {}, {}))
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("damage", [b"", b"not safetensors", b"\xff" * 100])
def test_a_damaged_moment_is_left_out_with_a_warning(tmp_path: Path, damage: bytes) -> None:
    for images in (64, 128):
        write_moment(tmp_path, moment(images))
    (tmp_path / FOLDER / "images-0000000064.safetensors").write_bytes(damage)
    with pytest.warns(UserWarning, match=r"images-0000000064\.safetensors: damaged.*; these maps are left out"):
        (left,) = read_moments(tmp_path)
    assert left.images_seen == 128


def test_a_moment_whose_maps_do_not_fit_their_grids_is_left_out(tmp_path: Path) -> None:
    from attrs import evolve

    one = moment()
    one.maps["generator.block1"] = evolve(one.maps["generator.block1"], queries=(5, 6))
    write_moment(tmp_path, one)
    with pytest.warns(UserWarning, match="not what ganblocks writes"):
        assert read_moments(tmp_path) == []


@pytest.mark.parametrize("facts", [{"step": 0}, {"step": -1}, {"pooled": 0}, {"keys": [0, 3]}, {"queries": [4]}])
def test_grids_that_make_no_sense_are_left_out(tmp_path: Path, facts: dict[str, object]) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    write_moment(tmp_path, moment())
    (path,) = (tmp_path / FOLDER).iterdir()
    with safe_open(path, "pt") as file:
        known = json.loads(file.metadata()["maps"])
    known["blocks"]["generator.block1"] |= facts
    save_file(load_file(path), path, {"maps": json.dumps(known)})
    with pytest.warns(UserWarning, match="not what ganblocks writes"):
        assert read_moments(tmp_path) == []


def test_of_many_moments_some_are_read(tmp_path: Path) -> None:
    for images in range(0, 400, 10):
        write_moment(tmp_path, moment(images))
    read = [one.images_seen for one in read_moments(tmp_path, most=4)]
    assert read == [90, 190, 290, 390]


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="training continues"):
        write_moment(tmp_path, moment())
