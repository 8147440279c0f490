"""Walks: their ends are the samples themselves, and between them latents and weights of classes go steadily."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import ImageSpec, MixesClasses, MixesSamples, class_rows
from ganblocks.errors import UsageError
from ganblocks.testing import examples
from ganblocks.training.sampler import Sampler
from ganblocks.training.slerp import slerp
from ganblocks.training.walks import Walk, between_classes, between_samples

K, Z, NAMES = 4, 6, ("cat", "dog", "sun", "sea")


class Echo(nn.Module, MixesClasses):
    """The latent and the row of the class, as an image."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.eye(K))

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        rows = torch.zeros(len(z), K) if label is None else class_rows(self.table, label)
        return torch.cat([z, rows], 1)[:, None, None]


class Deep(nn.Module, MixesClasses, MixesSamples):
    """Rounds as generators do, and has a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(K, 256, generator=torch.Generator().manual_seed(0)))
        self.linear, self.conv, self.norm = nn.Linear(Z, 256), nn.Conv2d(16, 3, 3, padding=1), Norm(16)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        x = self.linear(z) + class_rows(self.table, label)
        return self.conv(self.norm(x.view(-1, 16, 4, 4)).relu()).tanh()


class Norm(nn.BatchNorm2d, MixesSamples):
    pass


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(K, Z)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return (z + self.table(label))[:, None, None]


def echo(classes: int = K) -> Sampler:
    return Sampler(Echo(), Z, ImageSpec(1, Z + K, classes, NAMES[:classes]))


def deep() -> Sampler:
    return Sampler(Deep(), Z, ImageSpec(3, 4, K, NAMES))


@examples(20)
@given(
    n=st.integers(2, 6),
    frames=st.integers(3, 6),
    seed=st.integers(0, 99),
    start=st.integers(0, 70),
    truncation=st.sampled_from([None, 0.5]),
    classes=st.sampled_from([None, "sun"]),
    closed=st.booleans(),
)
def test_ends_are_the_samples_bit_for_bit(
    n: int, frames: int, seed: int, start: int, truncation: float | None, classes: str | None, closed: bool
) -> None:
    sampler, walk = deep(), Walk(n=n, frames=frames, seed=seed, start=start, truncation=truncation)
    samples = sampler.sample(n, classes, seed, truncation, start=start)
    rows = list(between_samples(sampler, walk, classes, closed))
    assert len(rows) == n - 1 + closed
    for k, row in enumerate(rows):
        assert row.shape == (frames, 3, 4, 4)
        assert torch.equal(row[0], samples[k])
        assert torch.equal(row[-1], samples[(k + 1) % n])
    again = list(between_samples(sampler, walk, classes, closed))
    assert all(torch.equal(*pair) for pair in zip(rows, again, strict=True))
    assert torch.equal(sampler.sample(n, classes, seed, start=start), deep_sample(sampler, n, classes, seed, start))


def deep_sample(sampler: Sampler, n: int, classes: str | None, seed: int, start: int) -> Tensor:
    """By a copy whose statistics no walk has touched."""
    other = deep()
    other.network.load_state_dict(sampler.network.state_dict())
    return other.sample(n, classes, seed, start=start)


def test_between_them_latents_go_along_the_arc_and_weights_along_the_line() -> None:
    sampler, walk = echo(), Walk(n=8, frames=5, seed=3, start=2)
    latent, label = sampler.inputs(8, seed=3, start=2)
    assert label is not None
    assert len(label.unique()) > 1
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    for k, row in enumerate(between_samples(sampler, walk)):
        torch.testing.assert_close(row[:, 0, 0, :Z], slerp(latent[k], latent[k + 1], t))
        ends = torch.eye(K)[label[k]], torch.eye(K)[label[k + 1]]
        torch.testing.assert_close(row[:, 0, 0, Z:], torch.lerp(*ends, t[:, None].float()))


def test_from_class_to_class_the_latent_stays() -> None:
    sampler, walk = echo(), Walk(n=3, frames=5, seed=1)
    latent, _ = sampler.inputs(3, 0, seed=1)
    t = torch.linspace(0, 1, 5)[:, None]
    for k, row in enumerate(between_classes(sampler, walk, "dog", 3)):
        assert torch.equal(row[:, 0, 0, :Z], latent[k].expand(5, Z))
        torch.testing.assert_close(row[:, 0, 0, Z:], torch.lerp(torch.eye(K)[1], torch.eye(K)[3], t))


@pytest.mark.parametrize("truncation", [None, 0.5])
def test_ends_of_a_walk_between_classes_are_samples_of_the_two(truncation: float | None) -> None:
    sampler, walk = deep(), Walk(n=5, frames=4, seed=9, start=14, truncation=truncation, convention="resample")
    rows = torch.stack(list(between_classes(sampler, walk, "cat", "sea")))
    assert torch.equal(rows[:, 0], sampler.sample(5, "cat", 9, truncation, start=14))
    assert torch.equal(rows[:, -1], sampler.sample(5, "sea", 9, truncation, start=14))


def test_between_truncated_samples_batch_norms_have_the_statistics_of_truncated_latents() -> None:
    """A walk from a sample to its like shows one image; with the wrong statistics its middle would be another."""
    sampler = deep()
    sampler.sample = lambda n, *rest, **more: Sampler.sample(sampler, 1, *rest, **more).expand(n, -1, -1, -1)  # type: ignore[method-assign]
    inputs = sampler.inputs
    sampler.inputs = lambda n, *rest, **more: tuple(part.expand(n, *part.shape[1:]) for part in inputs(1, *rest, **more))  # type: ignore[method-assign, assignment]
    (row,) = between_samples(sampler, Walk(n=2, frames=3, truncation=0.3), "cat")
    torch.testing.assert_close(row[1], row[0], rtol=0, atol=1e-5)


def test_between_classes_batch_norms_have_the_statistics_of_truncated_latents_too() -> None:
    """Between classes with equal rows nothing changes; with the wrong statistics the middle would."""
    sampler = deep()
    with torch.no_grad():
        sampler.network.table.copy_(sampler.network.table[0].expand(K, -1))
    for row in between_classes(sampler, Walk(n=3, frames=3, truncation=0.3), "cat", "dog"):
        torch.testing.assert_close(row, row[:1].expand_as(row), rtol=0, atol=1e-5)


def test_without_classes_there_is_a_walk_too() -> None:
    rows = list(between_samples(echo(0), Walk(n=3, frames=3)))
    assert torch.stack(rows)[..., Z:].eq(0).all()


def test_a_generator_that_takes_no_mixture_has_walks_within_a_class_only() -> None:
    sampler = Sampler(Plain(), Z, ImageSpec(1, Z, K, NAMES))
    assert len(list(between_samples(sampler, Walk(n=3, frames=3), "cat"))) == 2
    for walk in (between_samples(sampler, Walk(n=8, frames=3)), between_classes(sampler, Walk(n=1, frames=3), "cat", "dog")):
        with pytest.raises(UsageError, match=r"generator\.table \(Embedding\) reads the class"):
            next(walk)


def test_one_sample_is_no_walk() -> None:
    with pytest.raises(UsageError, match="2 samples or more"):
        next(between_samples(echo(), Walk(n=1, frames=3), "cat"))
