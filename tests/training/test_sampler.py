"""Sampling: seeds, classes, and truncation by its three conventions (spec statement 82)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import kstest
from torch import Tensor, nn

from ganblocks import GanblocksError, ImageSpec
from ganblocks.testing import examples
from ganblocks.training.pictures import save_grid, to_bytes
from ganblocks.training.sampler import CONVENTIONS, Sampler, latents


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


def test_classes_are_one_for_all_one_each_or_drawn() -> None:
    assert sampler().sample(3, classes=2)[:, 0, 0, -1].tolist() == [2, 2, 2]
    assert sampler().sample(3, classes=[0, 3, 1])[:, 0, 0, -1].tolist() == [0, 3, 1]
    assert set(sampler().sample(200)[:, 0, 0, -1].tolist()) == {0, 1, 2, 3}
    assert sampler(0).sample(2)[:, 0, 0, -1].tolist() == [0, 0]


@pytest.mark.parametrize("classes", [4, -1, [0, 9], [0]])
def test_a_class_that_does_not_exist_is_named_with_those_that_do(classes: int | list[int]) -> None:
    with pytest.raises(GanblocksError, match=r"classes 0 to 3 \(0 cat|give one class"):
        sampler().sample(2, classes=classes)


def test_a_generator_without_classes_takes_none() -> None:
    with pytest.raises(GanblocksError, match="no classes"):
        sampler(0).sample(2, classes=1)


def drawn(truncation: float | None, convention: str = "resample", seed: int = 0) -> Tensor:
    return latents(4000, 4, torch.Generator().manual_seed(seed), truncation, convention)


def variance_of_the_cut_normal(bound: float) -> float:
    normal = torch.distributions.Normal(0.0, 1.0)
    density = float(torch.exp(normal.log_prob(torch.tensor(bound))))
    return 1 - 2 * bound * density / float(2 * normal.cdf(torch.tensor(bound)) - 1)


VARIANCES: dict[str, Callable[[float], float]] = {
    "resample": variance_of_the_cut_normal,
    "scaled_resample": lambda tau: tau**2 * variance_of_the_cut_normal(2.0),
    "std": lambda tau: tau**2,
}


@pytest.mark.statement(82)
@pytest.mark.parametrize("convention", CONVENTIONS)
@examples(20)
@given(truncation=st.floats(0.05, 4.0), seed=st.integers(0, 99))
def test_each_convention_has_its_interval_and_its_variance(convention: str, truncation: float, seed: int) -> None:
    z = drawn(truncation, convention, seed)
    bound = {"resample": truncation, "scaled_resample": 2 * truncation, "std": 6 * truncation}[convention]
    assert z.abs().max() <= bound * (1 + 1e-6)
    assert float(z.var()) == pytest.approx(VARIANCES[convention](truncation), rel=0.08)


@pytest.mark.statement(82)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_latents_vary_more_the_less_is_cut(convention: str) -> None:
    variances = [float(drawn(truncation, convention).var()) for truncation in (0.1, 0.3, 0.7, 1.0, 1.5, 2.0)]
    assert variances == sorted(variances)


@pytest.mark.statement(82)
def test_where_nothing_is_cut_latents_are_standard_normal() -> None:
    assert torch.equal(drawn(1.0, "std"), drawn(None))
    for z in (drawn(math.inf), drawn(40.0)):
        assert kstest(z.double().flatten().numpy(), "norm").pvalue > 0.01


def test_a_scaled_cut_is_the_cut_to_2_times_the_truncation() -> None:
    torch.testing.assert_close(drawn(0.5, "scaled_resample"), 0.5 * drawn(2.0))


def test_the_sampler_hands_the_convention_on() -> None:
    made = {name: sampler().sample(50, seed=3, truncation=0.5, convention=name) for name in CONVENTIONS}
    assert torch.equal(made["resample"], sampler().sample(50, seed=3, truncation=0.5))
    assert made["resample"][..., :-1].abs().max() <= 0.5 < made["scaled_resample"][..., :-1].abs().max()
    assert made["std"][..., :-1].abs().max() > 1


def test_a_convention_must_exist_and_have_something_to_cut() -> None:
    with pytest.raises(GanblocksError, match="no convention of truncation 'clip': resample, scaled_resample, std"):
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
