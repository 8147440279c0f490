"""Sampling: every sample has its own seed, whichever others are drawn; classes; grids."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from ganblocks import GanblocksError, ImageSpec
from ganblocks.testing import examples
from ganblocks.training.latents import CONVENTIONS
from ganblocks.training.pictures import save_grid, to_bytes
from ganblocks.training.sampler import Sampler


class Echo(nn.Module):
    """The latent and the label, as an image."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        extra = torch.zeros(len(z)) if label is None else label.float()
        return torch.cat([z, extra[:, None]], 1)[:, None, None] * self.scale


def sampler(classes: int = 4) -> Sampler:
    return Sampler(Echo(), 6, ImageSpec(1, 7, classes, ("cat", "dog", "sun", "sea")[:classes]))


@examples(20)
@given(n=st.integers(1, 20), batch=st.integers(1, 25), seed=st.integers(0, 99))
def test_a_seed_fixes_the_images_whatever_the_batch(n: int, batch: int, seed: int) -> None:
    whole = sampler().sample(n, seed=seed)
    assert torch.equal(whole, sampler().sample(n, seed=seed, batch=batch))
    assert not torch.equal(whole, sampler().sample(n, seed=seed + 1))


class Deep(nn.Module):
    """Linear, convolution, tanh: rounds as generators do. Keeps how many images each forward was asked for."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.linear, self.conv, self.seen = nn.Linear(latent + 4, 256), nn.Conv2d(16, 3, 3, padding=1), list[int]()

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        self.seen.append(len(z))
        x = self.linear(torch.cat([z, nn.functional.one_hot(label, 4).float()], 1))
        return self.conv(x.view(-1, 16, 4, 4).relu()).tanh()


@examples(25)
@given(
    latent=st.sampled_from([1, 7, 64, 100, 128]),
    n=st.integers(1, 70),
    start=st.integers(0, 130),
    seed=st.integers(0, 99),
    classes=st.sampled_from([None, 0, "sea"]),
    truncation=st.sampled_from([None, 0.5]),
)
def test_any_part_is_drawn_again_bit_for_bit(
    latent: int, n: int, start: int, seed: int, classes: int | str | None, truncation: float | None
) -> None:
    """The first n of any more, and n from any index on, through layers whose rounding depends on the batch."""
    deep = Sampler(Deep(latent), latent, ImageSpec(3, 4, 4, ("cat", "dog", "sun", "sea")))
    whole = deep.sample(200, classes, seed, truncation)
    assert torch.equal(deep.sample(n, classes, seed, truncation), whole[:n])
    assert torch.equal(deep.sample(n, classes, seed, truncation, start=start), whole[start : start + n])
    latents, labels = deep.inputs(n, classes, seed, truncation, start=start)
    every = deep.inputs(200, classes, seed, truncation)
    assert torch.equal(latents, every[0][start : start + n])
    assert labels is not None
    assert every[1] is not None
    assert torch.equal(labels, every[1][start : start + n])
    assert set(deep.network.seen) == {16}


def test_classes_one_each_go_where_they_belong() -> None:
    each = [k % 4 for k in range(40)]
    whole = sampler().sample(40, each, seed=5)
    assert whole[:, 0, 0, -1].tolist() == each
    assert torch.equal(sampler().sample(7, each[21:28], seed=5, start=21), whole[21:28])
    assert torch.equal(sampler().sample(40, seed=5)[..., :-1], whole[..., :-1]), "a class changes no latent"


def test_a_stream_never_holds_more_than_a_batch() -> None:
    parts = [(len(image), len(label)) for image, label in sampler().stream(100, start=10) if label is not None]
    assert parts == [(6, 6), *[(16, 16)] * 5, (14, 14)]
    assert torch.equal(torch.cat([image for image, _ in sampler().stream(100)]), sampler().sample(100))


def test_classes_are_one_for_all_one_each_or_drawn() -> None:
    assert sampler().sample(3, classes=2)[:, 0, 0, -1].tolist() == [2, 2, 2]
    assert sampler().sample(3, classes=[0, 3, 1])[:, 0, 0, -1].tolist() == [0, 3, 1]
    assert sampler().sample(3, classes=["sun", 0, "Dog"])[:, 0, 0, -1].tolist() == [2, 0, 1]
    assert sampler().sample(2, classes=torch.tensor([3, 1]))[:, 0, 0, -1].tolist() == [3, 1]
    assert set(sampler().sample(200)[:, 0, 0, -1].tolist()) == {0, 1, 2, 3}
    assert sampler(0).sample(2)[:, 0, 0, -1].tolist() == [0, 0]


@pytest.mark.parametrize("classes", [4, -1, [0, 9], [0], "fish", ["cat", "fish"]])
def test_a_class_that_does_not_exist_is_named_with_those_that_do(classes: int | list[int]) -> None:
    with pytest.raises(GanblocksError, match=r"classes 0 to 3 \(0 cat, 1 dog|give one class"):
        sampler().sample(2, classes=classes)


def test_a_generator_without_classes_takes_none() -> None:
    with pytest.raises(GanblocksError, match="no classes"):
        sampler(0).sample(2, classes=1)


def test_the_sampler_hands_the_convention_on() -> None:
    made = {name: sampler().sample(50, seed=3, truncation=0.5, convention=name) for name in CONVENTIONS}
    assert torch.equal(made["resample"], sampler().sample(50, seed=3, truncation=0.5))
    assert made["resample"][..., :-1].abs().max() <= 0.5 < made["scaled_resample"][..., :-1].abs().max()
    assert made["std"][..., :-1].abs().max() > 1


def test_a_convention_must_exist_and_have_something_to_cut() -> None:
    with pytest.raises(GanblocksError, match="unknown truncation convention 'clip': use resample, scaled_resample, std"):
        sampler().sample(2, truncation=0.5, convention="clip")
    with pytest.raises(GanblocksError, match="std says how to truncate, but there is no truncation"):
        sampler().sample(2, convention="std")


def test_a_truncation_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(GanblocksError, match="above 0"):
        sampler().sample(2, truncation=0.0)


def test_bytes_round_and_clip() -> None:
    assert to_bytes(torch.tensor([-2.0, -1.0, 0.0, 1.0, 1.5])).tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_grid_holds_every_image_in_reading_order(tmp_path: Path, channels: int) -> None:
    images = torch.linspace(-1, 1, 5).view(5, 1, 1, 1).expand(5, channels, 32, 32)
    save_grid(images, tmp_path / "grid.png", columns=3)
    picture = Image.open(tmp_path / "grid.png").convert("L")
    assert picture.size == (3 * 64, 2 * 64)
    corners = [picture.getpixel((64 * (i % 3) + 5, 64 * (i // 3) + 5)) for i in range(6)]
    assert corners == [0, 64, 128, 191, 255, 255]
