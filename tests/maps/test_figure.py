"""The figure shows what a block attends to: a hand-made one that attends to known places, on maps that are not square."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganblocks import AttentionMap
from ganblocks.errors import UsageError
from ganblocks.maps.figure import attention_figure, save_figure
from ganblocks.maps.shown import shown_network

HEIGHT, WIDTH = 8, 16


class Pointing(nn.Module, AttentionMap):
    """Each query of 4×8 attends to a single one of 2×4 keys: query n to key (3 n + head) mod 8."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def attention_map(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        keys = (3 * torch.arange(32) + torch.arange(2)[:, None]) % 8
        return nn.functional.one_hot(keys, 8).float().expand(len(x), -1, -1, -1), (2, 4)


class Large(Pointing):
    """Has more positions than a map is made of."""


def network(block: nn.Module, pool: int = 2) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, image: Tensor, label: Tensor | None) -> Tensor:
            small: Tensor = self.block(nn.functional.avg_pool2d(image, pool))
            return small

    return Net()


def test_arrows_lead_from_the_query_to_its_key() -> None:
    images = torch.rand(3, 3, HEIGHT, WIDTH) * 2 - 1
    shown = shown_network("discriminator", network(Pointing()), (images, None), (images, None), ["a", "$_$", "c"])
    (block,) = shown.blocks
    assert (block.queries, block.keys, block.gamma, block.change) == ((4, 8), (2, 4), None, pytest.approx(1.0))
    queries = [[0, 9, 31], [5, 6, 7], [12, 20, 28]]
    for head in (0, 1):
        figure = attention_figure(shown, block, queries, head)
        axes = [axis for axis in figure.axes if axis.texts]
        assert len(axes) == 9
        for axis, query in zip(axes, [query for row in queries for query in row], strict=True):
            (arrow,) = axis.texts
            key = (3 * query + head) % 8
            assert arrow.xy == (key % 4 * 4 + 2, key // 4 * 4 + 2), "the centre of the key's cell of 4 × 4 pixels, x first"
            assert arrow.xyann == (query % 8 * 2 + 1, query // 8 * 2 + 1)
            heat = axis.images[1].get_array()
            assert heat.shape == (2, 4)
            assert heat.ravel().argmax() == key


def test_any_text_can_be_a_caption(tmp_path: Path) -> None:
    """A class, or a file, may have a name that matplotlib would take for a formula."""
    images = torch.zeros(1, 3, HEIGHT, WIDTH)
    shown = shown_network("discriminator", network(Pointing()), (images, None), (images, None), ["$_$"])
    save_figure(attention_figure(shown, shown.blocks[0], [[0]], None), tmp_path / "figure.png")


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    images = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for name in ("one", "two"):
        shown = shown_network("discriminator", network(Pointing()), (images, None), (images, None), ["a"])
        for suffix in (".svg", ".png"):
            save_figure(attention_figure(shown, shown.blocks[0], [[0, 3]], None), tmp_path / f"{name}{suffix}")
    for suffix in (".svg", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_no_map_is_made_of_very_many_positions() -> None:
    images = torch.zeros(1, 3, 64, 66)
    with pytest.raises(UsageError, match="discriminator: no map is made of more than 4,096 positions"):
        shown_network("discriminator", network(Large(), pool=1), (images, None), (images, None), ["a"])
