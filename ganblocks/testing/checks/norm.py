"""How norms are tried, and what only they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from ganblocks.game import unchanged_buffers
from ganblocks.registry import Registry
from ganblocks.testing.cases import Arguments, SiteCase, call
from ganblocks.testing.checks.modules import stands_anywhere_or_says_why_not
from ganblocks.testing.promises import expect_same, only_if, promise, tried_with
from ganblocks.testing.strategies import any_sizes, batches, components, scales, seeds, sites


@frozen(kw_only=True)
class NormCase(SiteCase):
    """A norm, a feature map and a condition."""

    kind: ClassVar[str] = "norm"

    def arguments(self) -> Arguments:
        return self.image(), self.condition()

    def shape(self) -> tuple[int, ...]:
        return (self.batch, self.site.channels, self.site.height, self.site.width)


@tried_with("norm")
def norms(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[NormCase]:
    drawn = components(cls, registry, given)
    return st.builds(NormCase, component=drawn, seed=seeds, batch=batches, scale=scales, site=sites())


def anywhere(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[NormCase]:
    """Odd and non-square sizes, odd numbers of channels."""
    places = sites(any_sizes, st.integers(1, 20))
    return st.builds(NormCase, component=components(cls, registry, given), seed=seeds, batch=batches, site=places)


promise("norm", cases=anywhere)(stands_anywhere_or_says_why_not)


@promise("norm")
def a_sample_s_condition_moves_that_sample_only(case: NormCase) -> None:
    """Another condition for one sample leaves the outputs of all others bit for bit as they were, also in training."""
    case = case.but(batch=3)
    module, (x, condition) = case.build(), case.arguments()
    only_if(condition is not None, "stands only where there is no condition")
    assert condition is not None
    changed: Tensor = condition.clone()
    changed[0] = (condition[0] + 1) % 3 if condition.dtype == torch.int64 else condition[0] + 1
    with unchanged_buffers(module):
        before, after = call(module, (x, condition)), call(module, (x, changed))
    expect_same(after[1:], before[1:], "the other samples' outputs")
