"""Batches are a function of (seed, player, position): nothing else is remembered."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Batch, Images, Player, discover, read_recipe
from ganblocks.assembly import assemble
from ganblocks.batches import Batches, from_bytes
from ganblocks.testing import examples
from tests.cli.commands import ROOT

D, G = Player.DISCRIMINATOR, Player.GENERATOR


def images(count: int = 23) -> Images:
    """Image i is filled with the value i; labels are skewed: three quarters are of class 0."""
    data = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    labels = torch.tensor([0 if i % 4 else 1 for i in range(count)])
    split = {"train": torch.arange(3, count), "held_out": torch.arange(3)}
    return Images(data.__getitem__, labels, "f", split)


def batches(size: int = 4, seed: int = 0, **options: object) -> Batches:
    return Batches(images(), size, 5, 2, seed=seed, **options)  # type: ignore[arg-type]


def values(batch: Batch) -> list[int]:
    return [round(float(v)) for v in (batch.image[:, 0, 0, 0] + 1) * 127.5]


def same(one: Batch, two: Batch) -> bool:
    names = ("image", "label", "latent", "fake_label")
    return one.seed == two.seed and all(torch.equal(getattr(one, name), getattr(two, name)) for name in names)


@examples(30)
@given(size=st.integers(1, 50), seed=st.integers(0, 10**9))
def test_every_epoch_shows_every_training_image_once_whatever_the_batch(size: int, seed: int) -> None:
    source = batches(size, seed)
    seen = [v for _ in range(-(-60 // size)) for v in values(source(D))]
    for epoch in (0, 1, 2):
        assert sorted(seen[20 * epoch : 20 * (epoch + 1)]) == list(range(3, 23))
    assert seen[:20] != seen[20:40] or seen[20:40] != seen[40:60]


@examples(20)
@given(calls=st.lists(st.sampled_from(list(Player)), max_size=8), seed=st.integers(0, 99))
def test_a_batch_depends_on_its_position_not_on_what_was_drawn_before(calls: list[Player], seed: int) -> None:
    source = batches(seed=seed)
    for player in calls:
        start = source.drawn[player]
        assert same(source(player), batches(seed=seed).at(player, start))
    assert source.images_seen == 4 * calls.count(D)
    resumed = batches(seed=seed)
    resumed.drawn = dict(source.drawn)
    assert same(resumed(D), source(D))


def test_seeds_and_players_have_streams_of_their_own() -> None:
    assert not same(batches(seed=0)(D), batches(seed=1)(D))
    one, two = batches()(D), batches()(G)
    assert not torch.equal(one.latent, two.latent)
    assert one.seed != two.seed


@pytest.mark.parametrize(("uniform", "share"), [(False, 0.75), (True, 0.5)])
def test_fakes_are_labelled_as_the_data_or_uniformly(uniform: bool, share: float) -> None:
    drawn = batches(4000, uniform=uniform)(D).fake_label
    assert drawn is not None
    assert float((drawn == 0).float().mean()) == pytest.approx(share, abs=0.04)


def test_without_classes_there_are_no_labels() -> None:
    batch = Batches(images(), 4, 5, 0)(D)
    assert batch.label is None
    assert batch.fake_label is None


class Shift(nn.Module):
    def forward(self, image: Tensor, rng: torch.Generator) -> Tensor:
        return image + torch.rand(1, generator=rng)


def test_real_images_pass_the_augment_of_the_data_reproducibly() -> None:
    plain, shifted = batches()(D), batches(augment=Shift())(D)
    assert same(shifted, batches(augment=Shift())(D))
    assert not torch.equal(plain.image, shifted.image)


def test_bytes_become_the_interval_from_minus_one_to_one() -> None:
    image = from_bytes(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), torch.device("cpu"))
    assert image.flatten().tolist() == [-1.0, 1.0]
    assert from_bytes(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.device("cpu")).is_contiguous(
        memory_format=torch.channels_last
    )


def test_classes_of_fakes_are_those_of_training_images() -> None:
    """On a data set in class order, whose first images are held out."""
    labels = torch.arange(12) // 4
    split = {"train": torch.arange(4, 12), "held_out": torch.arange(4)}
    ordered = Images(torch.zeros(12, 3, 2, 2, dtype=torch.uint8).__getitem__, labels, "f", split)
    drawn = Batches(ordered, 64, 5, 3)(G).fake_label
    assert drawn is not None
    assert set(drawn.tolist()) == {1, 2}


def test_a_session_draws_by_its_seed() -> None:
    recipe = read_recipe(ROOT / "tests" / "fixtures" / "study.toml")
    for seed in (0, 7):
        session = assemble(recipe, discover(), seed=seed)
        made = session.batches
        again = Batches(made.images, made.size, made.latent, made.classes, made.uniform, made.augment, seed=seed)
        assert all(same(made.at(player, 0), again.at(player, 0)) for player in Player)
