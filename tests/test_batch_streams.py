"""Along a player's stream every batch draws numbers of its own, and both players shuffle for themselves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganblocks import Images, Player
from ganblocks.batches import Batches


def batches(seed: int = 0) -> Batches:
    index = torch.arange(40)
    data = index.to(torch.uint8).view(-1, 1, 1, 1)
    return Batches(Images(data.__getitem__, index % 4, "f", {"train": index[8:], "held_out": index[:8]}), 32, 5, 4, seed=seed)


@pytest.mark.parametrize("player", Player)
def test_successive_batches_differ_in_everything_they_draw(player: Player) -> None:
    source = batches()
    one, two = source(player), source(player)
    assert not torch.equal(one.latent, two.latent)
    assert not torch.equal(_labels(one.fake_label), _labels(two.fake_label))
    assert not torch.equal(one.image, two.image)
    assert one.seed != two.seed


def test_players_and_seeds_have_orders_of_their_own() -> None:
    one, other_player, other_seed = batches()(Player.GENERATOR), batches()(Player.DISCRIMINATOR), batches(1)(Player.GENERATOR)
    for other in (other_player, other_seed):
        assert not torch.equal(one.image, other.image)
        assert not torch.equal(_labels(one.fake_label), _labels(other.fake_label))
        assert one.image.sort(0).values.equal(other.image.sort(0).values)  # an epoch is one batch here


def test_labels_are_those_of_the_images() -> None:
    batch = batches()(Player.DISCRIMINATOR)
    index = ((batch.image.flatten() + 1) * 127.5).round().long()
    assert torch.equal(_labels(batch.label), index % 4)
    assert index.min() >= 8


def _labels(label: Tensor | None) -> Tensor:
    assert label is not None
    return label
