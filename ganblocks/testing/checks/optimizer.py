"""How optimizers are tested, and their properties."""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar

import torch
from attrs import frozen
from torch import nn

from ganblocks.schedules import spanning
from ganblocks.stepping import guarded_step
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn
from ganblocks.testing.properties import properties

SPAN = 1000
"""Number of images spanned by schedules that have no length of their own."""


@frozen(kw_only=True)
class OptimizerCase(Case):
    """An optimizer, and parameters with a quadratic to descend."""

    kind: ClassVar[str] = "optimizer"

    def parameters(self) -> list[nn.Parameter]:
        """Return a matrix and a vector."""
        return [nn.Parameter(self.normal(3, 2, key="matrix")), nn.Parameter(self.normal(4, key="vector"))]

    def start(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the component's optimizer of the parameters."""
        optimizer: torch.optim.Optimizer = spanning(self.component, SPAN).start(parameters)
        return optimizer


def step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], rate: float) -> float:
    """Take one step down half the sum of squares; return the value before it."""
    for parameter in parameters:
        parameter.grad = parameter.detach().clone()
    guarded_step(optimizer, {"lr": rate})
    return float(sum(p.detach().square().sum() for p in parameters))


def takes_all_parameters(case: OptimizerCase) -> None:
    """start returns a torch optimizer of all parameters that it was given, each once."""
    parameters = case.parameters()
    optimizer = case.start(parameters)
    expect.that(isinstance(optimizer, torch.optim.Optimizer), f"start returns a {type(optimizer).__name__}")
    held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    expect.that(sorted(held) == sorted(map(id, parameters)), f"it holds {len(held)} of {len(parameters)} parameters")


def says_its_rate(case: OptimizerCase) -> None:
    """settings always contains `lr`, a finite number of at least 0, and only names that the parameter groups have."""
    known = set(case.start(case.parameters()).param_groups[0])
    for images_seen in (0, 1, SPAN // 2, SPAN, 10 * SPAN):
        settings: dict[str, Any] = spanning(case.component, SPAN).settings(images_seen)
        rate = settings.get("lr")
        valid = isinstance(rate, float | int) and math.isfinite(rate) and rate >= 0
        expect.that(valid, f"after {images_seen} images lr is {rate!r}")
        unknown = sorted(set(settings) - known)
        expect.that(not unknown, f"settings names {unknown}, which torch's optimizer does not know")


def descends(case: OptimizerCase) -> None:
    """With default options, 30 small steps decrease a quadratic, and every parameter moves."""
    parameters = case.parameters()
    optimizer = case.start(parameters)
    values = [step(optimizer, parameters, 1e-3) for _ in range(30)]
    expect.that(values[-1] < values[0], f"half the sum of squares went from {values[0]:.6g} to {values[-1]:.6g}")
    for parameter, was in zip(parameters, case.parameters(), strict=True):
        expect.finite(parameter, "a parameter")
        expect.that((parameter != was).any(), "a parameter did not move")


def its_state_restores_bit_for_bit(case: OptimizerCase) -> None:
    """Restored from its state_dict after three steps, it continues bit for bit."""
    parameters = case.parameters()
    optimizer = case.start(parameters)
    for _ in range(3):
        step(optimizer, parameters, 1e-2)
    others = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    restored = case.start(others)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(3):
        step(optimizer, parameters, 1e-2)
        step(restored, others, 1e-2)
    for mine, theirs in zip(parameters, others, strict=True):
        expect.same(theirs, mine, "a parameter three steps after restoring")


CASES = drawn(OptimizerCase)
PROPERTIES = (
    *properties(takes_all_parameters, says_its_rate),
    *properties(descends, cases=drawn(OptimizerCase, defaults=True)),  # a momentum near 1, say, may overshoot in 30 steps
    *properties(its_state_restores_bit_for_bit),
)
