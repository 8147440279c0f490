"""How initializations are tried, and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import nn

from ganblocks.registry import Registry
from ganblocks.seeding import seeded
from ganblocks.testing.cases import Case
from ganblocks.testing.checks.weight_norm import LAYERS
from ganblocks.testing.promises import expect, expect_finite, expect_same, promise, tried_with
from ganblocks.testing.strategies import components, seeds


@frozen(kw_only=True)
class FillCase(Case):
    """An initialization and a layer."""

    kind: ClassVar[str] = "initialization"

    layer: str

    def facts(self) -> dict[str, Any]:
        return {"layer": self.layer}

    def poisoned(self) -> nn.Module:
        """The layer, full of NaN."""
        layer = LAYERS[self.layer]()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(torch.nan)
        return layer

    def filled(self, seed: int = 0) -> nn.Module:
        layer = self.poisoned()
        self.component.fill(layer, torch.Generator().manual_seed(seed))
        return layer


@tried_with("initialization")
def fills(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[FillCase]:
    return st.builds(FillCase, component=components(cls, registry, given), seed=seeds, layer=st.sampled_from(list(LAYERS)))


@promise("initialization")
def fills_weight_and_bias(case: FillCase) -> None:
    """Every value of weight and bias is overwritten in place; shapes, types and requires_grad stay."""
    layer = case.poisoned()
    before = dict(layer.named_parameters())
    case.component.fill(layer, torch.Generator().manual_seed(case.seed))
    for name, parameter in layer.named_parameters():
        expect(before.get(name) is parameter, f"{name} was replaced, not filled in place")
        expect_finite(parameter, f"{name} of a layer that was full of NaN")
        expect(parameter.requires_grad, f"{name} no longer requires grad")


@promise("initialization")
def draws_from_its_generator_only(case: FillCase) -> None:
    """Equal generators give equal weights whatever else was drawn; torch's global random numbers do not move."""
    with seeded(1):
        one = case.filled()
    with seeded(2):
        mark = torch.default_generator.get_state()
        two = case.filled()
        expect(_made_of(mark, case), "filling advances torch's global random numbers")
    for (name, a), (_, b) in zip(one.named_parameters(), two.named_parameters(), strict=True):
        expect_same(b, a, f"{name} from an equal generator")


@promise("initialization")
def other_generators_give_other_weights(case: FillCase) -> None:
    """A generator of another seed gives other weights."""
    one, two = (dict(case.filled(seed).named_parameters())["weight"] for seed in (0, 1))
    expect((one != two).any(), "two seeds give the same weights")


def _made_of(mark: torch.Tensor, case: FillCase) -> bool:
    """Whether a fill after ``mark`` leaves the global numbers where making the layer alone leaves them."""
    after = torch.default_generator.get_state()
    torch.default_generator.set_state(mark)
    case.poisoned()
    return torch.equal(after, torch.default_generator.get_state())
