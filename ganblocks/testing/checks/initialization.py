"""How initializations are tested, and their properties."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks.seeding import seeded
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, repeat_without_global_draws
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.checks.weight_norm import LAYERS
from ganblocks.testing.properties import properties


@frozen(kw_only=True)
class FillCase(Case):
    """An initialization and a layer."""

    kind: ClassVar[str] = "initialization"

    layer: str

    def poisoned(self) -> nn.Module:
        """Return the layer, full of NaN."""
        with seeded(0):
            layer = LAYERS[self.layer]()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.fill_(torch.nan)
        return layer

    def filled(self, seed: int = 0) -> dict[str, Tensor]:
        """Return the parameters, of any shape, of a layer that the component has filled."""
        layer = self.poisoned()
        self.component.fill(layer, torch.Generator().manual_seed(seed))
        return dict(layer.named_parameters())


def fills_weight_and_bias(case: FillCase) -> None:
    """Every value of weight and bias is overwritten in place; shapes, types and requires_grad stay."""
    layer = case.poisoned()
    before = dict(layer.named_parameters())
    case.component.fill(layer, torch.Generator().manual_seed(case.seed))
    for name, parameter in layer.named_parameters():
        expect.that(before.get(name) is parameter, f"{name} was replaced, not filled in place")
        expect.finite(parameter, f"{name} of a layer that was full of NaN")
        expect.that(parameter.requires_grad, f"{name} no longer requires grad")


def draws_from_its_generator_only(case: FillCase) -> None:
    """Equal generators give equal weights, and torch's global random numbers are not drawn from."""
    one, two = repeat_without_global_draws(case.filled, "filling")
    for name, value in one.items():
        expect.same(two[name], value, f"{name} from an equal generator")


def other_generators_give_other_weights(case: FillCase) -> None:
    """A generator of another seed gives other weights."""
    one, two = (case.filled(seed)["weight"] for seed in (0, 1))
    expect.that((one != two).any(), "two seeds give the same weights")


CASES = drawn(FillCase, layer=st.sampled_from(list(LAYERS)))
PROPERTIES = (*properties(fills_weight_and_bias, draws_from_its_generator_only, other_generators_give_other_weights), *LEARNING)
