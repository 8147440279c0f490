"""How norms are tested, and the properties that only they have."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor

from ganblocks.game import unchanged_buffers
from ganblocks.testing import expect
from ganblocks.testing.cases import SiteCase, call, drawn
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.checks.modules import PLACED_PROPERTIES, stands_anywhere_or_says_why_not
from ganblocks.testing.properties import properties
from ganblocks.testing.strategies import any_sizes, batches, scales, sites


@frozen(kw_only=True)
class NormCase(SiteCase):
    """A norm, a feature map and a condition."""

    kind: ClassVar[str] = "norm"


def a_sample_s_condition_moves_that_sample_only(case: NormCase) -> None:
    """Another condition for one sample leaves the outputs of all others bit for bit as they were, also in training."""
    case = case.but(batch=3)
    module, (x, condition) = case.build(), case.arguments()
    expect.only_if(condition is not None, "is only built where there is no condition")
    changed: Tensor = condition.clone()
    changed[0] = (condition[0] + 1) % 3 if condition.dtype == torch.int64 else condition[0] + 1
    with unchanged_buffers(module):
        before, after = call(module, (x, condition)), call(module, (x, changed))
    expect.same(after[1:], before[1:], "the other samples' outputs")


CASES = drawn(NormCase, batch=batches, scale=scales, site=sites())
PROPERTIES = (
    *PLACED_PROPERTIES,
    *properties(
        stands_anywhere_or_says_why_not, cases=drawn(NormCase, batch=batches, site=sites(any_sizes, st.integers(1, 20)))
    ),
    *properties(a_sample_s_condition_moves_that_sample_only),
    *LEARNING,
)
