"""Seeds and places: initial values follow (seed, path, name), and nothing else moves."""

from __future__ import annotations

import pytest
import torch
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks import Batch, Initialization, Site, WeightNorm, full_precision, seed_of, seeded

words = st.text("ab.1", max_size=4)


@given(one=st.lists(words, max_size=4), two=st.lists(words, max_size=4))
def test_seeds_differ_wherever_a_part_does(one: list[str], two: list[str]) -> None:
    assert (seed_of(*one) == seed_of(*two)) == (one == two or {tuple(one), tuple(two)} == {(), ("",)})
    assert 0 <= seed_of(*one) < 2**63


def test_seeds_are_the_same_for_ever() -> None:
    assert seed_of(0, "generator.block2", "query") == seed_of("0", "generator.block2", "query") == 7919264451070308489


@given(seed=st.integers(0, 2**62))
def test_within_a_block_numbers_start_from_its_seed_and_go_on_outside(seed: int) -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with seeded(seed) as rng:
        own, given_ = torch.rand(3), torch.rand(3, generator=rng)
    assert torch.equal(own, given_)
    assert torch.equal(own, torch.rand(3, generator=torch.Generator().manual_seed(seed)))
    assert torch.equal(torch.rand(2), expected)


@frozen
class Uniform:
    def fill(self, layer: nn.Module, rng: torch.Generator) -> None:
        nn.init.uniform_(layer.weight, generator=rng)


def weight(
    path: str = "a", name: str = "one", seed: int = 0, initialization: Initialization | None = None, before: int = 0
) -> Tensor:
    torch.rand(before)  # what came before does not matter
    site = Site(channels=3, path=path, seed=seed, initialization=initialization)
    return site.layer(nn.Linear(3, 3), name).weight.detach()


@pytest.mark.parametrize("rule", [None, Uniform()])
@pytest.mark.parametrize("change", [{"path": "b"}, {"name": "two"}, {"seed": 1}])
def test_initial_values_depend_on_seed_path_and_name_only(rule: Initialization | None, change: dict[str, str | int]) -> None:
    assert torch.equal(weight(initialization=rule), weight(initialization=rule, before=5))
    assert not torch.equal(weight(initialization=rule), weight(initialization=rule, **change))  # type: ignore[arg-type]


def test_a_child_place_has_values_of_its_own() -> None:
    site = Site(channels=3, path="a")
    one, two = (place.layer(nn.Linear(3, 3), "x").weight for place in (site.at("left"), site.at("right")))
    assert not torch.equal(one, two)
    assert site.at("left", size=9).path == "a.left"
    assert site.at("left", size=9).height == 9


@frozen
class Drawing:
    def build(self, site: Site) -> nn.Module:
        module = nn.Module()
        module.register_buffer("drawn", torch.rand(3))
        return module


def test_what_a_block_draws_is_seeded_by_its_place() -> None:
    def drawn(path: str, seed: int) -> list[float]:
        values: list[float] = Site(channels=3, path=path, seed=seed).build(Drawing()).drawn.tolist()
        return values

    assert drawn("a", 0) == drawn("a", 0)
    assert drawn("a", 0) != drawn("b", 0)
    assert drawn("a", 0) != drawn("a", 1)


def test_a_network_is_built_at_a_changed_site_under_numbers_of_its_path() -> None:
    """What it draws follows from (seed, path), and torch's global random numbers go on unchanged."""
    site, state = Site(channels=3, path="generator", seed=5), torch.get_rng_state()
    with site.seeded(size=7, initialization=Uniform()) as changed:
        drawn = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)
    assert (changed.size, changed.initialization, changed.path, changed.seed) == (7, Uniform(), "generator", 5)
    with seeded(seed_of(5, "generator")):
        assert torch.equal(drawn, torch.rand(3))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_full_precision_is_float32_at_least(dtype: torch.dtype) -> None:
    x = torch.tensor([1.5, -2.0], dtype=dtype)
    y = full_precision(x)
    assert y.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(y.double(), x.double())
    assert (y is x) == (y.dtype == dtype)


class Measured(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.seen = layer, layer.weight.detach().clone()


@frozen
class Measure:
    def wrap(self, layer: nn.Module) -> nn.Module:
        return Measured(layer)


def test_a_weight_norm_measures_weights_that_are_initialised() -> None:
    norm: WeightNorm = Measure()
    plain = Site(channels=3, initialization=Uniform()).layer(nn.Linear(3, 3), "x")
    measured = Site(channels=3, initialization=Uniform(), weight_norm=norm).layer(nn.Linear(3, 3), "x")
    assert torch.equal(measured.seen, plain.weight)
    assert torch.equal(measured.layer.weight, plain.weight)


def test_microbatches_hold_the_batch_in_order_and_draw_numbers_of_their_own() -> None:
    image, label, latent = torch.rand(5, 1, 2, 2), torch.arange(5), torch.rand(5, 3)
    batch = Batch(image, label, latent, label.flip(0), seed=7)
    parts = list(batch.split(2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert torch.equal(torch.cat([part.image for part in parts]), image)
    assert torch.equal(torch.cat([part.label for part in parts if part.label is not None]), label)
    assert torch.equal(torch.cat([part.latent for part in parts]), latent)
    assert torch.equal(torch.cat([part.fake_label for part in parts if part.fake_label is not None]), label.flip(0))
    assert len({part.seed for part in parts} | {7}) == 4
    assert [part.seed for part in parts] == [part.seed for part in batch.split(2)]
    assert list(batch.split(5)) == [batch]
    unlabelled = Batch(image, None, latent, None, seed=7)
    assert all(part.label is None and part.fake_label is None for part in unlabelled.split(2))
